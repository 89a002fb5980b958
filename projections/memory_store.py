"""A ``StateStore`` in memory, for tests and for a first look: it ends with the process.

Each change makes the next moment by copying, so a view is simply the moment that it began with. That costs
time with every change, and a reader nothing.
"""

import heapq
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from events.streams import LogRecord, Position, Slice
from projections.ports import (
    Change,
    HistoryEntry,
    QuarantineEntry,
    QuarantineScope,
    ReachEntry,
    Resolution,
    StateReads,
    StoreConflict,
    StoreFault,
    settles,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The whole state after one change. Its mappings are never changed once it is made."""

    reached: Position | None = None
    facts_by_key: Mapping[str, bytes] = field(default_factory=dict)
    events_by_key: Mapping[str, tuple[HistoryEntry, ...]] = field(default_factory=dict)
    policy_records: tuple[LogRecord, ...] = ()
    told: Mapping[tuple[str, str], int | None] = field(default_factory=dict)
    quarantined: tuple[QuarantineEntry, ...] = ()
    resolutions: frozenset[Resolution] = frozenset()
    latest_by_slice: Mapping[Slice, LogRecord] = field(default_factory=dict)

    def checkpoint(self) -> Position | None:
        """The position that the state includes."""
        return self.reached

    def latest(self) -> Sequence[LogRecord]:
        """The last record of each slice, by slice."""
        return sorted(self.latest_by_slice.values())

    def facts(self, keys: Collection[str]) -> dict[str, bytes]:
        """The facts of those individuals that are known."""
        return {key: self.facts_by_key[key] for key in keys if key in self.facts_by_key}

    def known_ids(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the pairs that history holds."""
        return {pair for pair in pairs if any(entry.event_id == pair[1] for entry in self.history(pair[0]))}

    def history(self, key: str) -> Sequence[HistoryEntry]:
        """One individual's events, in the order in which they were folded."""
        return self.events_by_key.get(key, ())

    def policies(self) -> Iterator[LogRecord]:
        """The records of the policies' stream, in log order."""
        return iter(self.policy_records)

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """Every individual, in the order of the key's bytes."""
        return iter(sorted(self.facts_by_key.items(), key=lambda item: item[0].encode()))

    def individuals(self, tenant: str, after: str, limit: int) -> Sequence[str]:
        """The next ids of a tenant's individuals that have facts, in the order of their bytes."""
        start, first = f"{tenant}/", after.encode()
        ids = (key[len(start) :] for key in self.facts_by_key if key.startswith(start))
        return heapq.nsmallest(limit, (each for each in ids if each.encode() > first), key=str.encode)

    def reach(self, tenant: str, policy_id: str) -> Iterator[ReachEntry]:
        """Who was told which version, in the order of the key's bytes."""
        entries = [ReachEntry(key, told, version) for (key, told), version in self.told.items()]
        of_tenant = [e for e in entries if e.policy_id == policy_id and e.key.startswith(f"{tenant}/")]
        return iter(sorted(of_tenant, key=lambda entry: entry.key.encode()))

    def open_quarantine(
        self, denying: Collection[tuple[QuarantineScope, str]] | None = None
    ) -> Sequence[QuarantineEntry]:
        """The entries that no resolution settles, all or those of the given pairs."""
        unsettled = [e for e in self.quarantined if not any(settles(r, e) for r in self.resolutions)]
        asked = [e for e in unsettled if denying is None or (e.scope, e.subject) in set(denying)]
        return sorted(asked, key=lambda entry: (entry.slice, entry.offset, entry.scope, entry.subject))

    def after(self, change: Change) -> "Moment":
        """The moment that the change leads to. Raises StoreConflict where it does not fit this one."""
        if self.reached != change.expected:
            raise StoreConflict("another projector has gone on; start again from the store's checkpoint")
        events = dict(self.events_by_key)
        for key, entry in change.history:
            if any(other.event_id == entry.event_id for other in events.get(key, ())):
                raise StoreConflict("the store holds this event already; start again from its checkpoint")
            events[key] = (*events.get(key, ()), entry)
        told = {**self.told, **{(entry.key, entry.policy_id): entry.version for entry in change.reach}}
        return replace(
            self,
            reached=change.reached,
            facts_by_key={**self.facts_by_key, **change.facts},
            events_by_key=events,
            policy_records=(*self.policy_records, *change.policies),
            told={place: version for place, version in told.items() if version is not None},
            quarantined=(*self.quarantined, *change.quarantined),
            resolutions=self.resolutions | frozenset(change.resolved),
            latest_by_slice={**self.latest_by_slice, **{each.slice: each for each in change.latest}},
        )


class MemoryStore:
    """A ``StateStore`` that keeps its state in this process alone. See the port for what it must do."""

    def __init__(self) -> None:
        """A fresh store."""
        self._applying = threading.Lock()
        self._moment = Moment()
        self._closed = False

    @contextmanager
    def view(self) -> Iterator[StateReads]:
        """Reads of the present moment, which stays what it is."""
        yield self._now()

    def checkpoint(self) -> Position | None:
        """The position that the state includes; none in a fresh store."""
        return self._now().checkpoint()

    def latest(self) -> Sequence[LogRecord]:
        """The last record of each slice that the state includes, by slice."""
        return self._now().latest()

    def facts(self, keys: Collection[str]) -> dict[str, bytes]:
        """The facts of those individuals that the store knows, by key."""
        return self._now().facts(keys)

    def known_ids(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the pairs (key, event id) whose event is in the history."""
        return self._now().known_ids(pairs)

    def history(self, key: str) -> Sequence[HistoryEntry]:
        """Every event of one individual, in the order in which it was folded."""
        return self._now().history(key)

    def policies(self) -> Iterator[LogRecord]:
        """Every record of the policies' stream that was folded, in log order."""
        return self._now().policies()

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """Every individual's key and facts, in the order of the key's bytes."""
        return self._now().scan()

    def individuals(self, tenant: str, after: str, limit: int) -> Sequence[str]:
        """The first ``limit`` ids of a tenant's individuals that come after ``after``."""
        return self._now().individuals(tenant, after, limit)

    def reach(self, tenant: str, policy_id: str) -> Iterator[ReachEntry]:
        """Who was last told which version of a policy, in the order of the key's bytes."""
        return self._now().reach(tenant, policy_id)

    def open_quarantine(
        self, denying: Collection[tuple[QuarantineScope, str]] | None = None
    ) -> Sequence[QuarantineEntry]:
        """The unreadable records that nobody has resolved yet; with ``denying``, those of these pairs."""
        return self._now().open_quarantine(denying)

    def apply(self, change: Change) -> None:
        """Go on to the next moment. Raises StoreConflict, having saved nothing."""
        with self._applying:
            self._moment = self._now().after(change)

    def close(self) -> None:
        """Answer nothing any more; views that are open keep their moment."""
        with self._applying:
            self._closed = True

    def _now(self) -> Moment:
        if self._closed:
            raise StoreFault("the store is closed; make another")
        return self._moment
