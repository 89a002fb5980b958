"""A SQLite store while it is built: everything in one transaction, without a journal, for one thread.

A rebuild writes a file that nobody reads before it is whole, and that is thrown away if it never becomes so.
So it needs none of what makes a change cheap to undo, and pages that change often are written once. The
file becomes a store (``sqlite_store``) when it is closed; before, it does not even say that it is one.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from events.streams import LogRecord, Position
from projections.ports import (
    Change,
    HistoryEntry,
    QuarantineEntry,
    QuarantineScope,
    ReachEntry,
    StateReads,
    StoreFault,
)
from projections.sqlite_store import APPLICATION_ID, SCHEMA_VERSION, told_as_port_says
from projections.sqlite_tables import SCHEMA, Numbers, Reads, save

BUILD_CACHE_KIB: Final = 131_072
"""Page cache of a build: past it SQLite writes out the pages that were not used for longest."""


class SqliteBuildStore:
    """A ``StateStore`` for the projector that builds it, and for nobody else.

    Of the port's requirements it holds those on content (4, 6, 7, 9). A change that fails spoils the build,
    nothing survives before ``close``, and nothing may be applied within a view.
    """

    def __init__(self, path: Path) -> None:
        """Begin a build at a path where no file is. Raises StoreFault."""
        if path.exists():
            raise StoreFault("a build begins with a fresh file; name another path, or remove the file")
        self._numbers = Numbers()
        self._views = 0
        self._is_spoiled = False
        with told_as_port_says():
            self._connection = apsw.Connection(str(path))
            self._run(
                "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
                f"PRAGMA cache_size = -{BUILD_CACHE_KIB}; BEGIN; {SCHEMA}"
            )

    @contextmanager
    def view(self) -> Iterator[StateReads]:
        """Reads of the present moment, which lasts while the view does: nothing can be applied meanwhile."""
        self._views += 1
        try:
            with told_as_port_says():
                yield Reads(self._connection, self._numbers)
        finally:
            self._views -= 1

    def checkpoint(self) -> Position | None:
        """The position that the state includes; none in a fresh store."""
        with self.view() as reads:
            return reads.checkpoint()

    def latest(self) -> Sequence[LogRecord]:
        """The last record of each slice that the state includes, by slice."""
        with self.view() as reads:
            return reads.latest()

    def facts(self, keys: Collection[str]) -> dict[str, bytes]:
        """The facts of those individuals that the store knows, by key."""
        with self.view() as reads:
            return reads.facts(keys)

    def known_ids(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the pairs (key, event id) whose event is in the history."""
        with self.view() as reads:
            return reads.known_ids(pairs)

    def history(self, key: str) -> Sequence[HistoryEntry]:
        """Every event of one individual, in the order in which it was folded."""
        with self.view() as reads:
            return reads.history(key)

    def policies(self) -> Iterator[LogRecord]:
        """Every record of the policies' stream that was folded, in log order."""
        with self.view() as reads:
            yield from reads.policies()

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """Every individual's key and facts, in the order of the key's bytes."""
        with self.view() as reads:
            yield from reads.scan()

    def individuals(self, tenant: str, after: str, limit: int) -> Sequence[str]:
        """The first ``limit`` ids of a tenant's individuals that come after ``after``."""
        with self.view() as reads:
            return reads.individuals(tenant, after, limit)

    def reach(self, tenant: str, policy_id: str) -> Iterator[ReachEntry]:
        """Who was last told which version of a policy, in the order of the key's bytes."""
        with self.view() as reads:
            yield from reads.reach(tenant, policy_id)

    def open_quarantine(
        self, denying: Collection[tuple[QuarantineScope, str]] | None = None
    ) -> Sequence[QuarantineEntry]:
        """The unreadable records that nobody has resolved yet; with ``denying``, those of these pairs."""
        with self.view() as reads:
            return reads.open_quarantine(denying)

    def apply(self, change: Change) -> None:
        """Add a change. Raises StoreConflict or StoreFault, after which the build is good for nothing."""
        if self._views:
            raise StoreFault("a build takes no change while it is read; end the view first")
        self._check_whole()
        self._is_spoiled = True  # Until the whole change is in.
        with told_as_port_says():
            save(self._connection, change, self._numbers)
        self._is_spoiled = False

    def close(self) -> None:
        """Make the file a store: whole, synced, and saying so. A spoiled build stays what it is."""
        is_whole, self._is_spoiled = not self._is_spoiled, True
        with told_as_port_says():
            if is_whole:
                # The last write is synced, and the sync takes with it everything that was written before.
                self._run(
                    "COMMIT; PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA;"
                    f"BEGIN; PRAGMA application_id = {APPLICATION_ID};"
                    f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT; PRAGMA journal_mode = WAL"
                )
            self._connection.close()

    def _run(self, statements: str) -> None:
        """Run statements to their end: one that answers a row would keep the next from being run."""
        self._connection.execute(statements).fetchall()

    def _check_whole(self) -> None:
        if self._is_spoiled:
            raise StoreFault("the build is over, closed or spoiled; begin another with a fresh file")
