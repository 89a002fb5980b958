"""A million events, or any number, as lines for `choice-ledger import`; and questions about them.

    python -m benchmarks.generate events --count 1000000 > events.ndjson
    python -m benchmarks.generate questions --count 100000 --events 1000000 > questions.ndjson

The same seed and count give the same bytes on every machine. Memory stays flat: of an individual nothing is
kept but a number, from which the pseudonym follows. In a thousand events there are some two hundred new
individuals, each described and shown a notice at collection; banners seen again; outcomes of notices;
choices, of which some come by letters posted days before; deliveries; a few restrictions, erasures and
disclosures that the law compels; and lines that stand twice.
"""

import argparse
import hashlib
import random
import sys
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from events.envelope import SELF, Actor
from events.individual_events import (
    ChoiceMade,
    DisclosureCompelled,
    IndividualDescribed,
    IndividualErased,
    NoticeGiven,
    NoticeOutcome,
    ProcessingRestricted,
    RestrictionLifted,
)
from events.instants import DAY, SECOND, Micros, format_instant, parse_instant
from events.lines import format_line
from events.policy_events import FrameworkStatusChanged, PolicyAmended
from events.record_events import ChoiceApplied, DeliveryAttempted, DeliveryPlanned
from events.terms import Recipient, Terms, TransferBasis
from events.union import Event, Recorded

EVENTS: Final = 1_000_000
QUESTIONS: Final = 100_000
SEED: Final = 20_261_123
FIRST_AT: Final[Micros] = parse_instant("2024-01-01T00:00:00Z")
SPAN: Final[Micros] = 730 * DAY
"""The events are spread over two years, whatever their number."""

TENANTS: Final = ("acme", "globex")
NEW_INDIVIDUALS_A_THOUSAND: Final = 250
"""Of a thousand draws, not of events: each new individual brings two events."""

REPEATED_A_THOUSAND: Final = 4
RECENT_LINES: Final = 1_000
"""How far back a line may lie that stands a second time."""

OFFICER: Final = Actor(kind="officer", id="desk-1")
SERVICE: Final = Actor(kind="service", id="mailer")
POPULATIONS: Final = ("customer_user", "customer_user", "customer_user", "visitor", "prospect", "employee")
JURISDICTIONS: Final = ("US-CA", "US", "DE", "FR", "GB", "CH")


def terms_of(version: int) -> tuple[Terms, ...]:
    """The terms of a version of the policy: from version to version recipients and data are added."""
    partners = tuple(Recipient(name=name) for name in ("adco", "panel")[: version - 1])
    basis = (
        TransferBasis(jurisdiction="DE", framework="dpf"),
        TransferBasis(jurisdiction="FR", framework="dpf"),
    )
    email = ("email_address", "name")[:version]
    return (
        Terms(
            key="website.account", mode="necessary", legal_basis="contract", data=("email_address", "name")
        ),
        Terms(key="website.email", mode="opt_out", data=email, recipients=partners, choice_period=30 * DAY),
        Terms(key="website.analytics", mode="opt_out", data=("clicks",), transfer_basis=basis),
        Terms(key="website.profile", mode="opt_in", data=("clicks", "name"), valid_for=365 * DAY),
        Terms(key="hr.payroll", mode="necessary", populations=("employee",), survives_restriction=True),
        Terms(key="hr.directory", mode="opt_out", populations=("employee",), data=("name", "photo")),
    )


PURPOSES: Final = tuple(terms.key for terms in terms_of(1))


class Generator:
    """Everything that the next event depends on: the dice, the time, and how many individuals there are."""

    def __init__(self, count: int, seed: int) -> None:
        self.dice = random.Random(seed)
        self.seed = seed
        self.step = max(1, SPAN // max(1, count))
        self.now = FIRST_AT
        self.individuals = 0
        self.version = 0

    def lines(self, count: int) -> Iterator[bytes]:
        """So many lines, in log order."""
        recent: deque[bytes] = deque(maxlen=RECENT_LINES)
        amended = {0: 1, count // 3: 2, 2 * count // 3: 3}
        made = 0
        while made < count:
            for event in self.amendments(amended.pop(made)) if made in amended else self.happening():
                line = format_line(Recorded(event, self.now))
                recent.append(line)
                yield line
                made += 1
                if made == count or made in amended:
                    break
            if made < count and made not in amended and self.dice.randrange(1_000) < REPEATED_A_THOUSAND:
                yield self.dice.choice(recent)
                made += 1

    def tick(self) -> Micros:
        """The next instant of recording."""
        self.now += self.dice.randrange(1, 2 * self.step)
        return self.now

    def event_id(self) -> str:
        """A UUID of version 7 at the present instant."""
        stamp = (self.now // 1_000) << 80
        return str(uuid.UUID(int=stamp | 7 << 76 | 2 << 62 | self.dice.getrandbits(62)))

    def amendments(self, version: int) -> Iterator[Event]:
        """The next version of every tenant's policy, a void repetition of it, and the framework's status."""
        self.version = version
        for tenant in TENANTS:
            for number in (version, version):
                yield PolicyAmended(
                    event_id=self.event_id(),
                    tenant=tenant,
                    occurred_at=self.tick(),
                    actor=OFFICER,
                    policy_id="website",
                    version=number,
                    effective_at=self.now,
                    title=f"Privacy policy, version {number}",
                    purposes=terms_of(number),
                )
            yield FrameworkStatusChanged(
                event_id=self.event_id(),
                tenant=tenant,
                occurred_at=self.tick(),
                framework="dpf",
                in_force=version != 2,
                from_=self.now,
            )

    def happening(self) -> Iterator[Event]:
        """What happens next: somebody new comes, or something befalls somebody known."""
        if not self.individuals or self.dice.randrange(1_000) < NEW_INDIVIDUALS_A_THOUSAND:
            self.individuals += 1
            tenant, individual = named(self.seed, self.individuals)
            yield self.described(tenant, individual)
            yield self.notice(tenant, individual, at_collection=True)
        else:
            tenant, individual = named(self.seed, self.somebody())
            make = self.dice.choices(*_BEFALLING)[0]
            yield make(self, tenant, individual)

    def somebody(self) -> int:
        """The number of somebody known: half of the time one of the latest thousand."""
        if self.dice.random() < 0.5:
            return self.individuals - self.dice.randrange(min(self.individuals, 1_000))
        return self.dice.randint(1, self.individuals)

    def described(self, tenant: str, individual: str) -> Event:
        """Where somebody belongs."""
        return IndividualDescribed(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            medium="web",
            jurisdiction=self.dice.choice(JURISDICTIONS),
            populations=(self.dice.choice(POPULATIONS),),
        )

    def notice(self, tenant: str, individual: str, *, at_collection: bool = False) -> Event:
        """A notice of the version in force. Its id follows from who was told, when and of what."""
        return NoticeGiven(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            medium="web" if at_collection else "email",
            notice_id=notice_id(individual, self.version),
            policy_id="website",
            version=self.version,
            choice_offered=self.dice.random() < 0.9,
            at_collection=at_collection,
            locale="en",
        )

    def outcome(self, tenant: str, individual: str) -> Event:
        """Whether a notice arrived: it mostly does."""
        failed = self.dice.random() < 0.1
        return NoticeOutcome(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            actor=SERVICE,
            notice_id=notice_id(individual, self.version),
            outcome="failed" if failed else "delivered",
            detail="5.1.1" if failed else "2.0.0",
        )

    def opt_out(self, tenant: str, individual: str) -> Event:
        """An opt-out of a purpose, a branch or everything, for all recipients or for one."""
        return ChoiceMade(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            medium=self.dice.choice(("web", "web", "app", "gpc")),
            decision="opt_out",
            purposes=(self.dice.choice(("website.email", "website.analytics", "website", "hr", "*")),),
            recipients=self.dice.choice((None, None, ("adco",))),
        )

    def opt_in(self, tenant: str, individual: str) -> Event:
        """An opt-in to what asks for one, naming the version that the individual had before them."""
        return ChoiceMade(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            medium="web",
            decision="opt_in",
            purposes=("website.profile",) if self.dice.random() < 0.8 else ("website.email",),
            versions={"website": self.version},
        )

    def letter(self, tenant: str, individual: str) -> Event:
        """An opt-out by a letter that was posted up to a fortnight before it is recorded."""
        recorded_at = self.tick()
        return ChoiceMade(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=recorded_at - self.dice.randrange(1, 14) * DAY,
            actor=OFFICER,
            medium="mail",
            decision="opt_out",
            purposes=("website.email",),
        )

    def restricted(self, tenant: str, individual: str) -> Event:
        """A restriction of processing."""
        return ProcessingRestricted(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            actor=OFFICER,
            restriction_id="r1",
            purposes=("website",),
        )

    def lifted(self, tenant: str, individual: str) -> Event:
        """The end of a restriction, which there may not have been."""
        return RestrictionLifted(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            actor=OFFICER,
            restriction_id="r1",
        )

    def compelled(self, tenant: str, individual: str) -> Event:
        """A disclosure to a court, for ninety days."""
        return DisclosureCompelled(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            actor=OFFICER,
            recipient="court",
            legal_reference="order 7",
            purposes=("website",),
            from_=self.now,
            to=self.now + 90 * DAY,
        )

    def erased(self, tenant: str, individual: str) -> Event:
        """An erasure."""
        return IndividualErased(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            actor=OFFICER,
            reason="asked",
        )

    def planned(self, tenant: str, individual: str) -> Event:
        """A delivery of the version in force."""
        return DeliveryPlanned(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            actor=SERVICE,
            intent_id=self.event_id(),
            policy_id="website",
            version=self.version,
            channel="email",
        )

    def attempted(self, tenant: str, individual: str) -> Event:
        """An attempt at such a delivery."""
        return DeliveryAttempted(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            actor=SERVICE,
            intent_id=self.event_id(),
            policy_id="website",
            version=self.version,
            channel="email",
            result=self.dice.choice(("sent", "delivered", "failed")),
        )

    def applied(self, tenant: str, individual: str) -> Event:
        """A service's word that it has put a choice into effect."""
        return ChoiceApplied(
            event_id=self.event_id(),
            tenant=tenant,
            individual=individual,
            occurred_at=self.tick(),
            actor=SELF if self.dice.random() < 0.01 else SERVICE,
            service="mailer",
            applied=f"{self.now // SECOND}",
        )


_Make = Callable[[Generator, str, str], Event]
_BEFALLING: Final[tuple[list[_Make], list[int]]] = (
    [
        Generator.notice,
        Generator.outcome,
        Generator.opt_out,
        Generator.opt_in,
        Generator.letter,
        Generator.planned,
        Generator.attempted,
        Generator.applied,
        Generator.described,
        Generator.restricted,
        Generator.lifted,
        Generator.compelled,
        Generator.erased,
    ],
    [300, 150, 130, 120, 20, 90, 90, 60, 30, 4, 3, 2, 1],
)


def named(seed: int, number: int) -> tuple[str, str]:
    """The tenant and the pseudonym of the individual of that number: three in four are the first tenant's."""
    pseudonym = hashlib.blake2b(f"{seed}/{number}".encode(), digest_size=8).hexdigest()
    return TENANTS[number % 4 == 0], f"u{pseudonym}"


def notice_id(individual: str, version: int) -> str:
    """The id of the notice of that version to that individual."""
    return f"n{version}-{individual[-6:]}"


def event_lines(count: int = EVENTS, seed: int = SEED) -> Iterator[bytes]:
    """So many lines of events, in log order, without line ends."""
    return Generator(count, seed).lines(count)


def question_lines(count: int = QUESTIONS, events: int = EVENTS, seed: int = SEED) -> Iterator[bytes]:
    """So many questions about the individuals of ``event_lines(events, seed)``; one in 50 is a stranger."""
    dice = random.Random(seed + 1)
    individuals = max(1, events * 2 // 10)
    for _ in range(count):
        tenant, individual = named(seed, dice.randint(1, individuals + individuals // 50))
        at = (
            FIRST_AT + dice.randrange(SPAN)
            if dice.random() < 0.3
            else FIRST_AT + SPAN + dice.randrange(400 * DAY)
        )
        known_at = at + dice.randrange(-60 * DAY, 60 * DAY) if dice.random() < 0.2 else None
        yield msgspec.json.encode(
            {
                "tenant": tenant,
                "individual": individual,
                "purpose": dice.choice((*PURPOSES, "website.unknown")),
                "recipient": dice.choice((None, None, "adco", "panel", "court")),
                "data": dice.choice(([], [], ["email_address"], ["name"])),
                "at": format_instant(at),
                "known_at": None if known_at is None else format_instant(known_at),
            }
        )


def main() -> None:
    """Write lines to standard output."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__)
    parser.add_argument("what", choices=["events", "questions"])
    parser.add_argument("--count", type=int, help=f"lines (default {EVENTS} events, {QUESTIONS} questions)")
    parser.add_argument("--events", type=int, default=EVENTS, help="the events that the questions are about")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    if options.what == "events":
        lines = event_lines(EVENTS if options.count is None else options.count, options.seed)
    else:
        lines = question_lines(
            QUESTIONS if options.count is None else options.count, options.events, options.seed
        )
    for line in lines:
        sys.stdout.buffer.write(line + b"\n")


if __name__ == "__main__":
    main()
