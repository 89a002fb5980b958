"""The same events, imported by the command line into both logs, give the same decisions and the same digest.

A tenth of what `python -m benchmarks.million` does, whose last report stands in `docs/reports/million.json`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.generate import SEED
from benchmarks.million import compare, differences, generate, outcome
from tests.broker.with_kafka import ADDRESS, LONE

EVENTS = 100_000
QUESTIONS = 10_000
PLANTED_EVENTS = 2_000
PLANTED_QUESTIONS = 2_000

pytestmark = pytest.mark.broker


@pytest.mark.timeout(600)
def test_both_logs_give_the_same_decisions_and_digest(
    kafka_brokers: str, tmp_path: Path, count: Callable[..., None]
) -> None:
    """Decisions, digest and rebuilt digest agree on the embedded log and on six partitions of Kafka."""
    generate(tmp_path, EVENTS, QUESTIONS, SEED)
    outcomes = compare(tmp_path, {ADDRESS: kafka_brokers, **LONE})
    assert differences(outcomes) == []
    assert {each.answered for each in outcomes.values()} == {QUESTIONS}
    count("both logs agree", seed=SEED, events=EVENTS, questions=QUESTIONS)


def test_one_lost_opt_out_is_noticed(tmp_path: Path) -> None:
    """A ledger that misses a single opt-out of the same file has another digest, and is told apart."""
    generate(tmp_path, PLANTED_EVENTS, PLANTED_QUESTIONS, SEED)
    whole, questions = tmp_path / "events.ndjson", tmp_path / "questions.ndjson"
    lines = whole.read_bytes().splitlines(keepends=True)
    lost = next(line for line in reversed(lines) if b'"decision":"opt_out"' in line)
    lacking = tmp_path / "lacking.ndjson"
    lacking.write_bytes(b"".join(line for line in lines if line != lost))
    outcomes = {
        name: outcome(tmp_path / name, events, questions, {ADDRESS: ""})
        for name, events in (("whole", whole), ("lacking", lacking))
    }
    assert any(told.startswith("the logs disagree on digest") for told in differences(outcomes))
