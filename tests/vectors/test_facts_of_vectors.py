"""The logs of the vectors, folded one event at a time: live facts are always those of the whole history."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from events.union import Recorded
from projections.decide import decide
from projections.facts import Facts, decode_facts, encode_facts
from projections.fold import advance, facts_known_at, live_facts, prune
from tests.simulation.worlds import World, question_of
from tests.vectors.test_decide_vectors import FILES, Line, cases


def histories() -> Iterator[Any]:
    """Each individual's events in each log, repetitions left out, as a projection folds them."""
    for path in FILES:
        world = World(json.loads(path.read_text(encoding="utf-8"))["log"])
        for key, history in world.histories.items():
            first = {recorded.event.event_id: recorded for recorded in reversed(history)}
            kept = [recorded for recorded in history if first[recorded.event.event_id] is recorded]
            yield pytest.param(kept, id=f"{path.stem}: {key}")


def advanced(facts: Facts | None, folded: Sequence[Recorded]) -> Facts:
    """The facts after the last of these events, as a projection makes them: anew where it has to."""
    following = advance(facts, folded[-1])
    return live_facts(folded) if following is None else following


@pytest.mark.parametrize("history", list(histories()))
@pytest.mark.parametrize("backwards", [False, True], ids=["as logged", "backwards"])
def test_every_step_is_the_whole_history(*, history: list[Recorded], backwards: bool) -> None:
    """After each event, in log order and against it, the facts are byte for byte those of all so far."""
    events = history[::-1] if backwards else history
    facts: Facts | None = None
    for count in range(1, len(events) + 1):
        facts = advanced(facts, events[:count])
        assert encode_facts(facts) == encode_facts(live_facts(events[:count]))
        assert decode_facts(encode_facts(facts)) == facts


@pytest.mark.parametrize(("log", "question", "decision"), cases())
def test_pruned_facts_give_the_same_answer(log: list[Line], question: Line, decision: Line) -> None:
    """From the newest event on, what a projection keeps answers each question as the whole history does."""
    world, asked = World(log), question_of(question)
    full = facts_known_at(world.history(asked), None)
    now = msgspec.structs.replace(asked, known_at=None, at=max(asked.at, full.newest_recorded_at))
    answer = decide(world.policies(now), prune(full), now)
    assert answer == decide(world.policies(now), full, now)
    if now == asked:
        assert answer.reason == decision["reason"]
