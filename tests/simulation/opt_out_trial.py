"""No use after an opt-out: people change their minds through a service, and ask it at once what it permits.

Each person belongs to one thread, which knows what the answer has to be from one acknowledgement to the next.
Meanwhile others ask about the same people and publish policies, so that facts are kept, dropped and read
again while they change. Any answer that is not what the last acknowledgement says is a finding.
"""

import asyncio
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from choice_ledger.http.service import Service
from choice_ledger.ledger_at_hand import LedgerAtHand
from choice_ledger.recording import Receipt, record
from events.streams import Position
from events.terms import Terms
from ledger.commands import Command, Heard, PublishPolicy, RecordChoice, RecordNotice
from projections.decision import OutsideDenial, outside
from projections.reader import Enquiry

TENANT = "main"
PURPOSE = "website.email"
POLICY = "website"
ROOT = Path(__file__).parents[2]
WITHIN_S = 60.0


class Answered(NamedTuple):
    """What was answered."""

    permitted: bool
    reason: str


Ask = Callable[[str, Position | None], Answered]
"""Ask about a person, as fresh as a position where one is given."""

Change = Callable[[str, str], Position]
"""Record a person's opt-out or opt-in; the position that the receipt bears."""


class Finding(NamedTuple):
    """An answer that is not what was acknowledged before the question."""

    individual: str
    acknowledged: str
    answered: Answered
    with_position: bool


class Trial(NamedTuple):
    """What came of it. ``stale`` counts the answers that the service was not fresh enough for."""

    acknowledged: int
    asked: int
    stale: int
    findings: list[Finding]


class Desk:
    """Asks a service as its endpoints do: on an event loop, from facts at hand, else from the store."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def ask(self, individual: str, after: Position | None) -> Answered:
        """What is permitted now."""
        return asyncio.run_coroutine_threadsafe(self._ask(individual, after), self._loop).result(WITHIN_S)

    def close(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _ask(self, individual: str, after: Position | None) -> Answered:
        denied: OutsideDenial | None = await self._service.freshness.reached(after, 10_000)
        if denied is not None:
            return Answered(False, outside(denied).reason)
        enquiry = Enquiry(tenant=TENANT, individual=individual, purpose=PURPOSE)
        answer = self._service.checks.at_hand(enquiry)
        if answer is None:
            ask_store = partial(self._service.checks.answer_many, [enquiry])
            (answer,) = await self._service.read(ask_store)
        return Answered(answer.decision.permitted, answer.decision.reason)


@contextmanager
def desk_of(service: Service) -> Iterator[Ask]:
    """Ask that service, without HTTP."""
    desk = Desk(service)
    try:
        yield desk.ask
    finally:
        desk.close()


def prepare(ledger: LedgerAtHand, people: list[str]) -> None:
    """A policy from which people can opt out, of which everybody was told where they gave their data."""
    terms = Terms(key=PURPOSE, mode="opt_out", data=("email_address",))
    tell(ledger, PublishPolicy(policy_id=POLICY, version=1, purposes=(terms,)))
    for person in people:
        tell(
            ledger,
            RecordNotice(
                individual=person,
                notice_id="n1",
                policy_id=POLICY,
                version=1,
                choice_offered=True,
                at_collection=True,
            ),
        )


def tell(ledger: LedgerAtHand, command: Command) -> Receipt:
    """Record a command."""
    return record(ledger, command, Heard(event_id=ledger.new_id(), tenant=TENANT))


def change_mind(ledger: LedgerAtHand, individual: str, decision: str) -> Receipt:
    """Record an opt-out, or an opt-in that takes it back."""
    if decision == "opt_out":
        return tell(ledger, RecordChoice(individual=individual, decision="opt_out", purposes=("website",)))
    return tell(ledger, RecordChoice(individual=individual, decision="opt_in", purposes=(PURPOSE,)))


class Crowd:
    """Threads that change minds and ask, beside threads that only ask and one that publishes."""

    def __init__(
        self,
        ledger: LedgerAtHand,
        ask: Ask,
        seed: int,
        *,
        writers: int = 4,
        people: int = 3,
        change: Change | None = None,
    ) -> None:
        self._ledger = ledger
        self._ask = ask
        self._change = change or self._change_here
        self._seed = seed
        self._people = [[f"person-{w}-{p}" for p in range(people)] for w in range(writers)]
        self._over = threading.Event()
        prepare(ledger, [person for each in self._people for person in each])

    def run(self, rounds: int) -> Trial:
        """Let each writer change minds ``rounds`` times."""
        with ThreadPoolExecutor(len(self._people) + 3) as pool:
            beside = [pool.submit(self._only_ask, 100 + number) for number in range(2)]
            beside.append(pool.submit(self._publish))
            try:
                writers = [pool.submit(self._write, number, rounds) for number in range(len(self._people))]
                trials = [writer.result() for writer in writers]
            finally:
                self._over.set()
            for each in beside:
                each.result()
        return Trial(
            sum(trial.acknowledged for trial in trials),
            sum(trial.asked for trial in trials),
            sum(trial.stale for trial in trials),
            [finding for trial in trials for finding in trial.findings],
        )

    def _change_here(self, individual: str, decision: str) -> Position:
        return change_mind(self._ledger, individual, decision).position

    def _write(self, number: int, rounds: int) -> Trial:
        dice = random.Random(self._seed * 1_000 + number)
        asked, stale, findings = 0, 0, list[Finding]()
        for _ in range(rounds):
            person = dice.choice(self._people[number])
            decision = dice.choice(["opt_out", "opt_in"])
            position = self._change(person, decision)
            for after in (None, position, None):
                answered = self._ask(person, after)
                asked += 1
                stale += answered.reason == "stale"
                if is_wrong(decision, answered):
                    findings.append(Finding(person, decision, answered, after is not None))
        return Trial(rounds, asked, stale, findings)

    def _only_ask(self, number: int) -> None:
        dice = random.Random(self._seed * 1_000 + number)
        everybody = [person for each in self._people for person in each]
        while not self._over.is_set():
            self._ask(dice.choice(everybody), None)

    def _publish(self) -> None:
        version = 0
        while not self._over.wait(0.02):
            version += 1
            terms = Terms(key="hr.payroll", mode="necessary")
            tell(self._ledger, PublishPolicy(policy_id="hr", version=version, purposes=(terms,)))


def is_wrong(decision: str, answered: Answered) -> bool:
    """Whether an answer contradicts the last choice. That nothing can be answered contradicts nothing."""
    if answered.reason == "stale":
        return False
    return answered != (Answered(False, "opted_out") if decision == "opt_out" else Answered(True, "opted_in"))


class Beside:
    """Another process on the same home, which records what it is told, and says when it is acknowledged."""

    def __init__(self, home: Path, environment: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.simulation.opting_beside", str(home)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert self._answer() == "ready"

    def change_mind(self, individual: str, decision: str) -> Position:
        """Have it record that, and wait until it is acknowledged."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{individual} {decision}\n")
        self._process.stdin.flush()
        return Position.decode(self._answer())

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=WITHIN_S)
        assert self._process.returncode == 0

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def beside(home: Path) -> Iterator[Beside]:
    """Such a process, for as long as the context lasts."""
    process = Beside(home)
    try:
        yield process
    finally:
        process.close()


def run_beside(ask: Ask, other: AbstractContextManager[Beside], people: list[str], rounds: int) -> Trial:
    """Let another process change the minds, and ask the service with the position that it was told."""
    dice, findings, stale = random.Random(rounds), list[Finding](), 0
    with other as process:
        for _ in range(rounds):
            person, decision = dice.choice(people), dice.choice(["opt_out", "opt_in"])
            ask(person, None)  # So that the facts before it are at hand.
            answered = ask(person, process.change_mind(person, decision))
            stale += answered.reason == "stale"
            if is_wrong(decision, answered):
                findings.append(Finding(person, decision, answered, with_position=True))
    return Trial(rounds, rounds, stale, findings)
