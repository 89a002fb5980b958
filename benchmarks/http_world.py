"""One small world for three services: who was told of what, and who opted out of what.

The ledger gets it as events; Open Policy Agent gets it as data of the same shape; OpenFGA gets it as tuples.
Each then answers the same questions, and has to answer them alike: may this be done with that individual?
"""

import random
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from events.individual_events import ChoiceMade, NoticeGiven
from events.instants import DAY, SECOND, Micros
from events.lines import format_line
from events.policy_events import PolicyAmended
from events.terms import Terms
from events.union import Event, Recorded

INDIVIDUALS: Final = 10_000
QUESTIONS: Final = 10_000
SEED: Final = 20_261_124
TENANT: Final = "main"
PURPOSES: Final = ("website.email", "website.analytics", "website.personalisation", "customer.surveys")
NOT_TOLD_A_HUNDRED: Final = 5
OPTED_OUT_A_HUNDRED: Final = 30
"""Of a hundred individuals, so many opted out of each purpose."""

BEGINNING_DAYS_AGO: Final = 30
"""How old the policy is, so that every notice and choice lies behind the questions."""


class Person(NamedTuple):
    """An individual: what they were told of, and what they opted out of."""

    name: str
    told: tuple[str, ...]
    opted_out: tuple[str, ...]


class Asked(NamedTuple):
    """A question that all three services can be asked."""

    individual: str
    purpose: str


def people(count: int = INDIVIDUALS) -> list[Person]:
    """So many individuals, always the same ones."""
    dice = random.Random(SEED)
    return [
        Person(
            f"u{dice.getrandbits(64):016x}",
            () if dice.randrange(100) < NOT_TOLD_A_HUNDRED else PURPOSES,
            tuple(purpose for purpose in PURPOSES if dice.randrange(100) < OPTED_OUT_A_HUNDRED),
        )
        for _ in range(count)
    ]


def questions(persons: Sequence[Person], count: int = QUESTIONS) -> list[Asked]:
    """So many questions about them, in random order; one in fifty of a stranger or of no declared purpose."""
    dice = random.Random(SEED + 1)
    strangers = [f"stranger{number}" for number in range(len(persons) // 100)]
    names = [person.name for person in persons] + strangers
    purposes = PURPOSES * 25 + ("website.unknown",)
    return [Asked(dice.choice(names), dice.choice(purposes)) for _ in range(count)]


def permitted(persons: Sequence[Person], asked: Sequence[Asked]) -> list[bool]:
    """What every service has to answer: told of the purpose, and not opted out of it."""
    known = {person.name: person for person in persons}
    answers = []
    for question in asked:
        person = known.get(question.individual)
        answers.append(
            person is not None
            and question.purpose in person.told
            and question.purpose not in person.opted_out
        )
    return answers


def event_lines(persons: Sequence[Person]) -> Iterator[bytes]:
    """The same world as lines for ``choice-ledger import``."""
    at = time.time_ns() // 1_000 - BEGINNING_DAYS_AGO * DAY
    ids = _ids()
    yield _line(_policy(next(ids), at), at)
    for number, person in enumerate(persons, 1):
        heard = at + number * SECOND
        if person.told:
            yield _line(_notice(next(ids), person, heard), heard)
        for purpose in person.opted_out:
            yield _line(_opt_out(next(ids), person, purpose, heard + 1), heard + 1)


def _ids() -> Iterator[str]:
    dice = random.Random(SEED + 2)
    while True:
        yield str(uuid.UUID(int=dice.getrandbits(128), version=4))


def _line(event: Event, recorded_at: Micros) -> bytes:
    return format_line(Recorded(event, recorded_at))


def _policy(event_id: str, at: Micros) -> Event:
    terms = tuple(
        Terms(key=purpose, mode="opt_out", data=("email_address", "clicks")) for purpose in PURPOSES
    )
    return PolicyAmended(
        event_id=event_id,
        tenant=TENANT,
        occurred_at=at,
        policy_id="website",
        version=1,
        effective_at=at,
        title="Privacy policy",
        purposes=terms,
    )


def _notice(event_id: str, person: Person, at: Micros) -> Event:
    return NoticeGiven(
        event_id=event_id,
        tenant=TENANT,
        individual=person.name,
        occurred_at=at,
        medium="web",
        notice_id=f"n-{person.name}",
        policy_id="website",
        version=1,
        choice_offered=True,
        at_collection=True,
        locale="en",
    )


def _opt_out(event_id: str, person: Person, purpose: str, at: Micros) -> Event:
    return ChoiceMade(
        event_id=event_id,
        tenant=TENANT,
        individual=person.name,
        occurred_at=at,
        medium="web",
        decision="opt_out",
        purposes=(purpose,),
    )


def rego_data(persons: Sequence[Person]) -> bytes:
    """The same world as data for Open Policy Agent: sets as objects, so that each look-up takes one step."""
    individuals = {
        person.name: {
            "told": dict.fromkeys(person.told, True),
            "opted_out": dict.fromkeys(person.opted_out, True),
        }
        for person in persons
    }
    return msgspec.json.encode({"individuals": individuals, "declared": dict.fromkeys(PURPOSES, True)})


REGO: Final = """\
package consent

import rego.v1

default permitted := false

permitted if allowed(input.individual, input.purpose)

allowed(individual, purpose) if {
    data.declared[purpose]
    data.individuals[individual].told[purpose]
    not data.individuals[individual].opted_out[purpose]
}

batch := [answer | some question in input.questions; answer := answer_to(question)]

answer_to(question) := true if allowed(question.individual, question.purpose)

answer_to(question) := false if not allowed(question.individual, question.purpose)
"""
"""The same question as a policy of Open Policy Agent."""

FGA_MODEL: Final = {
    "schema_version": "1.1",
    "type_definitions": [
        {"type": "individual", "relations": {}},
        {
            "type": "purpose",
            "relations": {
                "told": {"this": {}},
                "opted_out": {"this": {}},
                "permitted": {
                    "difference": {
                        "base": {"computedUserset": {"relation": "told"}},
                        "subtract": {"computedUserset": {"relation": "opted_out"}},
                    }
                },
            },
            "metadata": {
                "relations": {
                    "told": {"directly_related_user_types": [{"type": "individual"}]},
                    "opted_out": {"directly_related_user_types": [{"type": "individual"}]},
                }
            },
        },
    ],
}
"""The same question as a model of OpenFGA: permitted is told but not opted out."""


def fga_tuples(persons: Sequence[Person]) -> Iterator[dict[str, str]]:
    """The same world as OpenFGA's tuples."""
    for person in persons:
        for relation, purposes in (("told", person.told), ("opted_out", person.opted_out)):
            for purpose in purposes:
                yield fga_tuple(Asked(person.name, purpose), relation)


def fga_tuple(asked: Asked, relation: str = "permitted") -> dict[str, str]:
    """One tuple; with ``permitted`` it is a question."""
    return {
        "user": f"individual:{asked.individual}",
        "relation": relation,
        "object": f"purpose:{asked.purpose}",
    }
