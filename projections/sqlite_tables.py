"""The tables of the SQLite store, and what is read from them and written to them over one connection.

Who opens connections and holds transactions is ``sqlite_store``; here are the layout and the statements.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

import apsw

from events.streams import INDIVIDUALS, POLICIES, LogRecord, Position, Slice, Stream
from projections.ports import (
    Change,
    HistoryEntry,
    QuarantineEntry,
    QuarantineScope,
    ReachEntry,
    Resolution,
    StoreConflict,
    settles,
)

_STREAMS: Final[tuple[Stream, ...]] = (INDIVIDUALS, POLICIES)
_STREAM_NUMBERS: Final[dict[Stream, int]] = {stream: number for number, stream in enumerate(_STREAMS)}

SCHEMA: Final = """
CREATE TABLE ledger (one INTEGER PRIMARY KEY CHECK (one = 1), generation TEXT NOT NULL) STRICT;
CREATE TABLE checkpoint (
  stream INTEGER NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY (stream, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE latest (
  stream INTEGER NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, key BLOB NOT NULL,
  value BLOB NOT NULL, PRIMARY KEY (stream, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE individual (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, facts BLOB) STRICT;
CREATE TABLE history (
  sequence INTEGER PRIMARY KEY, individual INTEGER NOT NULL, event_id BLOB NOT NULL,
  recorded_at INTEGER NOT NULL, stream INTEGER NOT NULL, partition INTEGER NOT NULL,
  "offset" INTEGER NOT NULL, value BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX history_of_individual ON history (individual, event_id);
CREATE TABLE policy_record (
  partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (partition, "offset")
) STRICT;
CREATE TABLE policy (id INTEGER PRIMARY KEY, policy_id BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE reach (
  policy INTEGER NOT NULL, individual INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (policy, individual)
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (
  place BLOB NOT NULL, stream INTEGER NOT NULL, partition INTEGER NOT NULL, "offset" INTEGER NOT NULL,
  scope TEXT NOT NULL, subject BLOB NOT NULL, reason TEXT NOT NULL, value BLOB NOT NULL,
  is_open INTEGER NOT NULL, PRIMARY KEY (place, scope, subject)
) STRICT;
CREATE INDEX quarantine_open ON quarantine (scope, subject) WHERE is_open;
CREATE TABLE resolution (place BLOB NOT NULL, by TEXT NOT NULL, PRIMARY KEY (place, by)) STRICT;
"""

NUMBERS_MAX: Final = 50_000
"""Individuals whose numbers are remembered: those of a few batches."""

_QUARANTINED: Final = (
    'SELECT place, stream, partition, "offset", scope, subject, reason, value FROM quarantine WHERE is_open'
)


class Numbers:
    """The numbers of individuals whose facts were asked for lately, by key.

    A number that was once read never changes, so this is never wrong; it is emptied when it grows too long.
    """

    def __init__(self) -> None:
        """Know nobody yet."""
        self.by_key: dict[str, int] = {}

    def learn(self, numbers: dict[str, int]) -> None:
        """Remember these, and whom else there is room for."""
        if len(self.by_key) + len(numbers) > NUMBERS_MAX:
            self.by_key = {}
        self.by_key.update(numbers)


class Reads:
    """The reads of one connection, whose transaction fixes their moment."""

    def __init__(self, connection: apsw.Connection, numbers: Numbers) -> None:
        """Read over a connection that the caller keeps open meanwhile."""
        self._connection = connection
        self._numbers = numbers

    def checkpoint(self) -> Position | None:
        """The position that the state includes."""
        return _checkpoint(self._connection)

    def latest(self) -> Sequence[LogRecord]:
        """The last record of each slice, by slice."""
        rows = self._connection.execute(
            'SELECT stream, partition, "offset", key, value FROM latest ORDER BY stream, partition'
        )
        return [LogRecord(Slice(_STREAMS[stream], partition), *record) for stream, partition, *record in rows]

    def facts(self, keys: Collection[str]) -> dict[str, bytes]:
        """The facts of those individuals, in one pass over the sorted keys."""
        found = self._connection.executemany(
            "SELECT key, facts, id FROM individual WHERE key = ? AND facts IS NOT NULL", _sorted_blobs(keys)
        )
        rows = [(key.decode(), facts, number) for key, facts, number in found]
        self._numbers.learn({key: number for key, _, number in rows})
        return {key: facts for key, facts, _ in rows}

    def known_ids(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the pairs that history holds, in one pass over the sorted pairs."""
        numbers = numbers_of(self._connection, {key for key, _ in pairs}, self._numbers)
        asked = sorted((numbers[key], _packed(event_id), key) for key, event_id in pairs if key in numbers)
        found = self._connection.executemany(
            "SELECT ?3, event_id FROM history WHERE individual = ?1 AND event_id = ?2", asked
        )
        return {(key, _unpacked(event_id)) for key, event_id in found}

    def history(self, key: str) -> Sequence[HistoryEntry]:
        """One individual's events, in the order in which they were folded."""
        rows = self._connection.execute(
            'SELECT event_id, recorded_at, stream, partition, "offset", value FROM history'
            " WHERE individual = (SELECT id FROM individual WHERE key = ?) ORDER BY sequence",
            (key.encode(),),
        )
        return [
            HistoryEntry(_unpacked(event_id), recorded_at, Slice(_STREAMS[stream], partition), offset, value)
            for event_id, recorded_at, stream, partition, offset, value in rows
        ]

    def policies(self) -> Iterator[LogRecord]:
        """The records of the policies' stream, in log order."""
        rows = self._connection.execute(
            'SELECT partition, "offset", key, value FROM policy_record ORDER BY partition, "offset"'
        )
        for partition, offset, key, value in rows:
            yield LogRecord(Slice(POLICIES, partition), offset, key, value)

    def scan(self) -> Iterator[tuple[str, bytes]]:
        """Every individual, streamed from the index of the keys."""
        rows = self._connection.execute(
            "SELECT key, facts FROM individual WHERE facts IS NOT NULL ORDER BY key"
        )
        for key, facts in rows:
            yield key.decode(), facts

    def individuals(self, tenant: str, after: str, limit: int) -> Sequence[str]:
        """The next ids of a tenant's individuals, from where they begin in the index of the keys."""
        rows = self._connection.execute(
            "SELECT key FROM individual WHERE key > ? AND key < ? AND facts IS NOT NULL ORDER BY key LIMIT ?",
            (f"{tenant}/{after}".encode(), f"{tenant}0".encode(), limit),
        )
        return [key.decode()[len(tenant) + 1 :] for (key,) in rows]

    def reach(self, tenant: str, policy_id: str) -> Iterator[ReachEntry]:
        """Who was told which version: the tenant's keys in their order, each looked up among those told."""
        # The tenant's keys lie together in the index, from "tenant/" up to the character after "/".
        rows = self._connection.execute(
            "SELECT key, version FROM individual CROSS JOIN reach ON reach.individual = individual.id"
            " WHERE policy = (SELECT id FROM policy WHERE policy_id = ?) AND key > ? AND key < ?"
            " ORDER BY key",
            (policy_id.encode(), f"{tenant}/".encode(), f"{tenant}0".encode()),
        )
        for key, version in rows:
            yield ReachEntry(key.decode(), policy_id, version)

    def open_quarantine(
        self, denying: Collection[tuple[QuarantineScope, str]] | None = None
    ) -> Sequence[QuarantineEntry]:
        """The entries that are open, all or those of the given pairs."""
        if denying is None:
            return _by_place(self._connection.execute(_QUARANTINED))
        if not self._connection.execute("SELECT EXISTS (SELECT 1 FROM quarantine WHERE is_open)").get:
            return []  # As it mostly is: then nobody has to be looked up.
        asked = [(scope, subject.encode()) for scope, subject in denying]
        return _by_place(self._connection.executemany(f"{_QUARANTINED} AND scope = ? AND subject = ?", asked))


def numbers_of(connection: apsw.Connection, keys: Collection[str], numbers: Numbers) -> dict[str, int]:
    """The numbers of those individuals that the store knows, remembered or looked up."""
    known = numbers.by_key
    found = {key: known[key] for key in keys if key in known}
    if len(found) < len(keys):
        others = _sorted_blobs(key for key in keys if key not in found)
        rows = connection.executemany("SELECT key, id FROM individual WHERE key = ?", others)
        found.update((key.decode(), number) for key, number in rows)
    return found


def save(connection: apsw.Connection, change: Change, numbers: Numbers) -> None:
    """Everything in a change, within the transaction that the caller holds."""
    _move_checkpoint(connection, change)
    ids = _save_facts(connection, change, numbers)
    _save_history(connection, change, ids)
    _save_reach(connection, change, ids)
    connection.executemany(
        "INSERT INTO policy_record VALUES (?, ?, ?, ?)",
        [(record.slice.partition, record.offset, record.key, record.value) for record in change.policies],
    )
    _save_quarantine(connection, change)


def _move_checkpoint(connection: apsw.Connection, change: Change) -> None:
    """Fence: the checkpoint moves only from exactly where the change expects it, else nothing is saved.

    The caller's transaction has the right to write already, so nobody comes between this look and the move.
    """
    if _checkpoint(connection) != change.expected:
        raise StoreConflict("another projector has gone on; start again from the store's checkpoint")
    if change.expected is None:
        connection.execute("INSERT INTO ledger VALUES (1, ?)", (change.reached.generation,))
    connection.executemany(
        "INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)",
        [
            (_STREAM_NUMBERS[slice_.stream], slice_.partition, offset)
            for slice_, offset in change.reached.as_dict().items()
        ],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?)",
        [
            (_STREAM_NUMBERS[slice_.stream], slice_.partition, offset, key, value)
            for slice_, offset, key, value in change.latest
        ],
    )


def _save_facts(connection: apsw.Connection, change: Change, numbers: Numbers) -> dict[str, int]:
    """Save the facts; answer the number of every individual that the change names."""
    named = {*change.facts, *(key for key, _ in change.history), *(entry.key for entry in change.reach)}
    ids = numbers_of(connection, named, numbers)
    connection.executemany(
        "UPDATE individual SET facts = ? WHERE id = ?",
        sorted(((facts, ids[key]) for key, facts in change.facts.items() if key in ids), key=itemgetter(1)),
    )
    last: int = connection.execute("SELECT coalesce(max(id), 0) FROM individual").get
    fresh = {key: number for number, key in enumerate(sorted(named - ids.keys()), start=last + 1)}
    connection.executemany(
        "INSERT INTO individual VALUES (?, ?, ?)",
        [(number, key.encode(), change.facts.get(key)) for key, number in fresh.items()],
    )
    return ids | fresh


def _save_history(connection: apsw.Connection, change: Change, ids: dict[str, int]) -> None:
    rows = [
        (
            ids[key],
            _packed(entry.event_id),
            entry.recorded_at,
            _STREAM_NUMBERS[entry.slice.stream],
            entry.slice.partition,
            entry.offset,
            entry.value,
        )
        for key, entry in change.history
    ]
    # Sorting keeps an individual's events in their order and lets the index be written page by page.
    rows.sort(key=itemgetter(0))
    connection.executemany("INSERT INTO history VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", rows)


def _save_reach(connection: apsw.Connection, change: Change, ids: dict[str, int]) -> None:
    policies = _sorted_blobs({entry.policy_id for entry in change.reach})
    connection.executemany("INSERT INTO policy (policy_id) VALUES (?) ON CONFLICT DO NOTHING", policies)
    found = connection.executemany("SELECT policy_id, id FROM policy WHERE policy_id = ?", policies)
    numbers = {policy_id.decode(): number for policy_id, number in found}
    told = {(numbers[entry.policy_id], ids[entry.key]): entry.version for entry in change.reach}
    connection.executemany(
        "INSERT OR REPLACE INTO reach VALUES (?, ?, ?)",
        [(*place, version) for place, version in sorted(told.items()) if version is not None],
    )
    connection.executemany(
        "DELETE FROM reach WHERE policy = ? AND individual = ?",
        [place for place, version in sorted(told.items()) if version is None],
    )


def _save_quarantine(connection: apsw.Connection, change: Change) -> None:
    connection.executemany(
        "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
        [
            (
                entry.place.encode(),
                _STREAM_NUMBERS[entry.slice.stream],
                entry.slice.partition,
                entry.offset,
                entry.scope,
                entry.subject.encode(),
                entry.reason,
                entry.value,
            )
            for entry in change.quarantined
        ],
    )
    connection.executemany(
        "INSERT INTO resolution VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(resolution.place.encode(), resolution.by) for resolution in change.resolved],
    )
    _settle(connection, {e.place for e in change.quarantined} | {r.place for r in change.resolved})


def _settle(connection: apsw.Connection, places: Collection[str]) -> None:
    """Close the entries of these places that a resolution settles, whichever of the two came first."""
    asked = _sorted_blobs(places)
    entries = _by_place(connection.executemany(f"{_QUARANTINED} AND place = ?", asked))
    given = connection.executemany("SELECT place, by FROM resolution WHERE place = ?", asked)
    resolutions = [Resolution(place.decode(), by) for place, by in given]
    connection.executemany(
        "UPDATE quarantine SET is_open = 0 WHERE place = ? AND scope = ? AND subject = ?",
        [
            (entry.place.encode(), entry.scope, entry.subject.encode())
            for entry in entries
            if any(settles(resolution, entry) for resolution in resolutions)
        ],
    )


def _checkpoint(connection: apsw.Connection) -> Position | None:
    generation: str | None = connection.execute("SELECT generation FROM ledger").get
    if generation is None:
        return None
    rows = connection.execute("SELECT stream, partition, next_offset FROM checkpoint")
    reached = [(Slice(_STREAMS[stream], partition), offset) for stream, partition, offset in rows]
    return Position.of(generation, reached)


def _by_place(rows: Iterable[tuple[Any, ...]]) -> list[QuarantineEntry]:
    entries = [
        QuarantineEntry(
            place.decode(), Slice(_STREAMS[stream], partition), offset, scope, subject.decode(), reason, value
        )
        for place, stream, partition, offset, scope, subject, reason, value in rows
    ]
    return sorted(entries, key=lambda entry: (entry.slice, entry.offset, entry.scope, entry.subject))


def _sorted_blobs(texts: Iterable[str]) -> list[tuple[bytes]]:
    """One binding for each text, in the order of the index that they are looked up in."""
    return [(text,) for text in sorted(text.encode() for text in texts)]


def _packed(event_id: str) -> bytes:
    """The 16 bytes of an event id, which is a UUID in lower-case text form."""
    return bytes.fromhex(event_id.replace("-", ""))


def _unpacked(event_id: bytes) -> str:
    digits = event_id.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
