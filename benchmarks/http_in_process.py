"""Answers without a server, for the HTTP benchmark: the same questions of the same ledger, in one process.

It waits for a line and then measures, so that its runs take turns with those of the servers.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.http_world import TENANT
from choice_ledger.http.check_bodies import read_one
from choice_ledger.http.opening import open_service
from choice_ledger.settings import Settings
from projections.decide import decide
from projections.decision import Question
from projections.fold import live_facts

RUN_S: Final = 1.5


def answer(folder: Path, batch: int) -> None:
    """For each line that comes in, say how many questions a second are answered in this process."""
    enquiries = [read_one(raw, TENANT).enquiry for raw in (folder / "one.ndjson").read_bytes().splitlines()]
    with open_service(Settings(home=str(folder / "home"), tenant=TENANT), lambda: False) as service:
        checks = service.checks
        groups = [enquiries[start : start + batch] for start in range(0, len(enquiries), batch)]
        answers = [answer for group in groups for answer in checks.answer_many(group)]
        policies = service.ledger.tenant(TENANT)
        facts = {key: live_facts(service.ledger.history(key)) for key in {e.key for e in enquiries}}
        cases: list[Question] = [answer.question for answer in answers]

        def decided() -> None:
            for question in cases:
                decide(policies, facts[question.key], question)

        def kept() -> None:
            for group in groups:
                checks.at_hand_many(group)

        for _ in sys.stdin:
            rates = {"in process": rate(decided, len(cases)), "in process, kept": rate(kept, len(cases))}
            print(json.dumps(rates), flush=True)


def rate(work: Callable[[], None], count: int, seconds: float = RUN_S) -> float:
    """How often a second ``count`` things are done."""
    began, rounds = time.perf_counter(), 0
    while (taken := time.perf_counter() - began) < seconds:
        work()
        rounds += 1
    return rounds * count / taken


if __name__ == "__main__":
    answer(Path(sys.argv[1]), int(sys.argv[2]))
