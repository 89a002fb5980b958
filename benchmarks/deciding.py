"""How many decisions a core makes in a second: `python -m benchmarks.deciding`.

The people of the example are multiplied, their live facts held in memory, and every purpose of the example
policy is asked of each, for own use and for each recipient, as a batch would. Beside it, in turn, runs the
floor: the same loop over the same questions, which only looks the facts up and makes a fixed answer. The
ratio says what deciding costs over asking.
"""

import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.spread import SPREAD
from events.catalogue import Catalogue, TenantPolicies
from events.lines import parse_line
from events.streams import POLICIES, stream_of
from events.union import Recorded
from projections.decide import decide
from projections.decision import Decision, Question
from projections.facts import Facts
from projections.fold import live_facts

EXAMPLES = Path(__file__).parent.parent / "examples"
TENANT = "telemate"
QUESTIONS = 50_000
ROUNDS = 7
SEED = 7
TARGET_PER_SECOND = 100_000


def read_lines() -> Iterator[Recorded]:
    """The events of the example, in log order."""
    for name in ("telemate/policies.ndjson", "people.ndjson"):
        for raw in (EXAMPLES / name).read_bytes().splitlines():
            line = parse_line(raw)
            if line.recorded_at is None:
                raise ValueError("the example dates every line")
            yield Recorded(line.event, line.recorded_at)


def state() -> tuple[TenantPolicies, dict[str, Facts]]:
    """The example's policies, and the live facts of each of its people."""
    catalogue = Catalogue()
    histories: dict[str, list[Recorded]] = {}
    for recorded in read_lines():
        if stream_of(recorded.event) == POLICIES:
            catalogue = catalogue.after(recorded)
        else:
            histories.setdefault(recorded.event.key, []).append(recorded)
    return catalogue.tenant(TENANT), {key: live_facts(history) for key, history in histories.items()}


def questions(policies: TenantPolicies, facts: dict[str, Facts]) -> list[Question]:
    """Questions about the present, over every purpose and recipient, in random order."""
    dice = random.Random(SEED)
    asked = [
        (terms.key, recipient)
        for versions in policies.standing.values()
        for terms in versions[-1].terms.values()
        for recipient in (None, *(recipient.name for recipient in terms.recipients))
    ]
    now = max(policies.newest_recorded_at or 0, *(known.newest_recorded_at for known in facts.values()))
    people = sorted(facts)
    return [
        Question(
            tenant=TENANT,
            individual=dice.choice(people).partition("/")[2],
            purpose=purpose,
            recipient=recipient,
            at=now,
        )
        for purpose, recipient in (dice.choice(asked) for _ in range(QUESTIONS))
    ]


def per_second(
    answer: Callable[[Facts, Question], Decision], facts: dict[str, Facts], asked: list[Question]
) -> float:
    """Answers a second of processor time, over the whole batch."""
    began = time.process_time()
    for question in asked:
        answer(facts[question.key], question)
    return len(asked) / (time.process_time() - began)


def main() -> int:
    """Print decisions a second and the ratio to the floor, with their spread."""
    policies, facts = state()
    asked = questions(policies, facts)
    reasons = {decide(policies, facts[question.key], question).reason for question in asked}
    decisions, ratios = [], []
    for _ in range(ROUNDS):
        floor = per_second(lambda _facts, _question: Decision(permitted=False, reason="stale"), facts, asked)
        rate = per_second(lambda known, question: decide(policies, known, question), facts, asked)
        decisions.append(rate)
        ratios.append(rate / floor)
    report = {
        "benchmark": "decide, in batches, on one core",
        "questions": len(asked),
        "reasons": sorted(reasons),
        "per_second": {name: round(of(decisions)) for name, of in SPREAD.items()},
        "ratio_to_floor": {name: round(of(ratios), 3) for name, of in SPREAD.items()},
        "target_per_second": TARGET_PER_SECOND,
    }
    print(json.dumps(report, indent=1))
    return 0 if statistics.median(decisions) >= TARGET_PER_SECOND else 1


if __name__ == "__main__":
    sys.exit(main())
