"""Facts at hand: the decoded facts of individuals asked for lately, at one known position of the state.

Whoever keeps the state up says what has changed (``moved``) before it tells anybody that a position is
reached; whoever read the state leaves what it found (``keep``). Reading takes no lock: see ``known``.
"""

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from itertools import islice
from typing import NamedTuple

from events.catalogue import Catalogue
from events.streams import POLICIES, Position, Slice
from projections.facts import Facts


class Known(NamedTuple):
    """What the state holds of one individual, also where that is nothing. ``is_denied``: by a quarantine."""

    facts: Facts
    slice: Slice
    is_denied: bool


class Present:
    """The moment of the state that everything at hand is of. Nothing of it changes but what is left out."""

    __slots__ = ("_reached", "catalogue", "individuals", "position")

    def __init__(self, position: Position, catalogue: Catalogue, individuals: dict[str, Known]) -> None:
        """The moment at ``position``, with that position's catalogue."""
        self.position = position
        self.catalogue = catalogue
        self.individuals = individuals
        self._reached: dict[Slice, Position | None] = {}

    def reached(self, slice_: Slice) -> Position | None:
        """The position of answers about individuals of a slice; one object for all of them."""
        position = self._reached.get(slice_)
        if position is None:
            position = self._reached[slice_] = answer_position(self.position, slice_)
        return position


class FactsAtHand:
    """At most ``individuals_max`` individuals' facts. Safe from many threads; one of them calls ``moved``.

    1. What ``known`` finds is exactly what the state holds at the position of the ``Present`` beside it.
    2. Once ``moved`` has returned nothing is found that was so before the move and is not so after it.
    """

    def __init__(
        self,
        lock: AbstractContextManager[object],
        position: Position,
        catalogue: Catalogue,
        individuals_max: int,
    ) -> None:
        """Nothing at hand yet, of a state at ``position``. ``lock`` keeps threads that change it apart."""
        self._lock = lock
        self._individuals_max = individuals_max
        self.present = Present(position, catalogue, {})

    def known(self, keys: Collection[str]) -> tuple[Present, dict[str, Known]]:
        """Those of the individuals that are at hand, and the moment that they are of.

        ``moved`` takes out what has changed, and only then puts the next moment in place. So whatever was
        found while the moment stayed the same is of that moment; else nothing counts as found.
        """
        present = self.present
        individuals = present.individuals
        found = {key: known for key in keys if (known := individuals.get(key)) is not None}
        return (present, found) if self.present is present else (self.present, {})

    def moved(self, position: Position, catalogue: Catalogue, keys: Collection[str] | None) -> None:
        """The state is now at ``position``: these individuals have changed, or (none) nobody knows which."""
        with self._lock:
            individuals = self.present.individuals if keys is not None else {}
            for key in keys or ():
                individuals.pop(key, None)
            self.present = Present(position, catalogue, individuals)

    def keep(self, checkpoint: Position | None, found: Mapping[str, Known]) -> None:
        """Keep what was read of a state at ``checkpoint``.

        If what is at hand is of another moment, it is forgotten for these individuals instead: whoever was
        answered from the newer one must not be answered from the older after that. Where there is no room,
        those who were kept first go.
        """
        with self._lock:
            individuals = self.present.individuals
            if checkpoint != self.present.position:
                for key in found:
                    individuals.pop(key, None)
                return
            individuals.update(islice(found.items(), self._individuals_max))
            for key in list(islice(individuals, max(0, len(individuals) - self._individuals_max))):
                del individuals[key]


def answer_position(checkpoint: Position | None, slice_: Slice) -> Position | None:
    """``architecture.md``: "An answer's position holds its individual's partition and the policies"."""
    if checkpoint is None:
        return None
    held = ((s, offset) for s, offset in checkpoint.as_dict().items() if s == slice_ or s.stream == POLICIES)
    return Position.of(checkpoint.generation, held)
