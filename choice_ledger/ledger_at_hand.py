"""A ledger that is open: its log, the state that follows from it, its texts, and the clock.

It holds ports alone; ``choice_ledger.wiring`` chooses the adapters and opens one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from choice_ledger.content_store import ContentStore
from choice_ledger.settings import Settings
from events.catalogue import Catalogue, TenantPolicies
from events.codec import decode
from events.instants import Micros
from events.streams import Position, Slice
from events.union import POLICY_EVENT_TYPES, Event, Recorded
from ledger.log import EventLog
from projections.ports import EventSource, StateStore


class StandingEvent(NamedTuple):
    """An event that was folded, and the position that includes it and nothing after it."""

    recorded: Recorded
    position: Position


class Folding(Protocol):
    """What keeps the state up with the log: a projector of one's own, or one that is followed.

    1. ``catch_up`` must return only when the state covers ``to``, or raise. With none it must cover all that
       this process has recorded and seen acknowledged.
    2. ``catalogue`` must be at ``position`` or later.
    """

    @property
    def catalogue(self) -> Catalogue:
        """Every tenant's policies, as far as they are folded."""
        ...

    @property
    def position(self) -> Position:
        """How far the state reaches."""
        ...

    def catch_up(
        self, to: Position | None = None, *, on_progress: Callable[[Position], None] | None = None
    ) -> Position:
        """Have the state cover ``to``, and say where it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAtHand:
    """An open ledger. Close it when done. With a projector of its own it is for one thread."""

    settings: Settings
    clock: Callable[[], Micros]
    new_id: Callable[[], str]
    log: EventLog
    source: EventSource
    store: StateStore
    folding: Folding
    content: ContentStore

    @property
    def catalogue(self) -> Catalogue:
        """Every tenant's policies, as far as they are folded."""
        return self.folding.catalogue

    def tenant(self, name: str) -> TenantPolicies:
        """The policies of a tenant, as far as they are folded."""
        return self.folding.catalogue.tenant(name)

    def catch_up(self, to: Position | None = None) -> Position:
        """Have the state cover ``to`` (none: all that was recorded here), and say where it is."""
        return self.folding.catch_up(to)

    def history(self, key: str) -> tuple[Recorded, ...]:
        """Every event of one individual that is folded, in the order of folding."""
        return tuple(decode(entry.value) for entry in self.store.history(key))

    def policy_events(self) -> Iterator[Recorded]:
        """Every event of the policies' stream that is folded, in log order."""
        for record in self.store.policies():
            yield decode(record.value)

    def find(self, event: Event) -> Recorded | None:
        """The folded event of that event's key and id, if there is one."""
        standing = self.standing(event)
        return None if standing is None else standing.recorded

    def find_of_individual(self, key: str, event_id: str) -> Recorded | None:
        """The folded event of an individual (``tenant/individual``) that has this id, if there is one."""
        standing = self._of_individual(key, event_id)
        return None if standing is None else standing.recorded

    def find_of_policies(self, tenant: str, event_id: str) -> Recorded | None:
        """The folded event of a tenant's policies that has this id, if there is one."""
        standing = self._of_policies(tenant, event_id)
        return None if standing is None else standing.recorded

    def standing(self, event: Event) -> StandingEvent | None:
        """The event that stands under that event's key and id: the first of them in log order, if any."""
        if type(event) in POLICY_EVENT_TYPES:
            return self._of_policies(event.key, event.event_id)
        return self._of_individual(event.key, event.event_id)

    def _of_individual(self, key: str, event_id: str) -> StandingEvent | None:
        with self.store.view() as reads:
            if (key, event_id) not in reads.known_ids([(key, event_id)]):
                return None
            entry = next(entry for entry in reads.history(key) if entry.event_id == event_id)
        return StandingEvent(decode(entry.value), self._after(entry.slice, entry.offset))

    def _of_policies(self, tenant: str, event_id: str) -> StandingEvent | None:
        if not self.tenant(tenant).holds(event_id):
            return None
        for record in self.store.policies():
            recorded = decode(record.value)
            if (recorded.event.key, recorded.event.event_id) == (tenant, event_id):
                return StandingEvent(recorded, self._after(record.slice, record.offset))
        return None

    def _after(self, slice_: Slice, offset: int) -> Position:
        return Position.of(self.log.generation, [(slice_, offset + 1)])

    def close(self) -> None:
        """Give back what the ledger holds open."""
        self.log.close()
        self.store.close()


def records_between(start: Position | None, end: Position) -> int:
    """How many offsets lie between two positions; offsets without a record count too."""
    before = {} if start is None else start.as_dict()
    return sum(max(0, offset - before.get(slice_, 0)) for slice_, offset in end.as_dict().items())
