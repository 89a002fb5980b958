"""Replay: a projection built again from the first event, into a fresh store.

Replacing the old store by the new one is the caller's, once this has returned: until then the old one
answers.
"""

from collections.abc import Callable
from typing import NamedTuple

from events.streams import Position
from projections.ports import EventSource, StateStore
from projections.projector import Projector


class Progress(NamedTuple):
    """How far a replay has come, in places of the log: records, and gaps where the log has any."""

    done: int
    total: int


def rebuild(
    source: EventSource, store: StateStore, on_progress: Callable[[Progress], None] | None = None
) -> Position:
    """Fold everything up to the log's end at this moment; the position that the store then has.

    A replay that was interrupted goes on where its store is. Memory stays flat: one batch at a time. Raises
    what ``Projector.catch_up`` raises.
    """
    start, goal = source.start(), source.end()

    def report(position: Position) -> None:
        if on_progress is not None:
            on_progress(Progress(_distance(start, position, goal), _distance(start, goal, goal)))

    return Projector(source, store).catch_up(goal, on_progress=report)


def _distance(start: Position, reached: Position, goal: Position) -> int:
    """Places between the start and what is reached, nothing beyond the goal counted."""
    first, last = start.as_dict(), goal.as_dict()
    return sum(
        min(offset, last.get(slice_, offset)) - first.get(slice_, 0)
        for slice_, offset in reached.as_dict().items()
    )
