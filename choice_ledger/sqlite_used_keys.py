"""Used idempotency keys in one SQLite file of the home directory.

Each batch of claims is one transaction, flushed to the disk before it is answered. The file holds no personal
data and nothing that cannot be lost: see ``choice_ledger/http/idempotency.py`` for what rests on it.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw

from choice_ledger.used_keys import CLAIMS_MAX, KEPT_FOR, KEYS_MAX, Claim, UsedKeysFault, Verdict
from events.instants import Micros

APPLICATION_ID: Final = 0x434C554B
"""``PRAGMA application_id`` of this file ("CLUK")."""

SCHEMA_VERSION: Final = 1
"""``PRAGMA user_version`` of the files that this code writes."""

BUSY_MS_MAX: Final = 5_000
"""How long a claim waits for another process that claims."""

FORGOTTEN_AT_ONCE_MAX: Final = 200
"""Keys that one batch of claims forgets at most, so that none waits for a long clearing out."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS used (
    event_id BLOB PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS used_by_age ON used (at);
CREATE TABLE IF NOT EXISTS kept (number INTEGER NOT NULL) STRICT;
INSERT INTO kept SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM kept);
"""

_FORGET_OLDEST: Final = "DELETE FROM used WHERE event_id IN (SELECT event_id FROM used ORDER BY at LIMIT ?)"
_FORGET_OVER: Final = (
    "DELETE FROM used WHERE event_id IN (SELECT event_id FROM used WHERE at <= ? ORDER BY at LIMIT ?)"
)


class SqliteUsedKeys:
    """``UsedKeys`` in a file. Safe from many threads and processes."""

    def __init__(self, path: Path, keys_max: int = KEYS_MAX) -> None:
        """Use the keys in a file, which is made where it is missing. Raises UsedKeysFault."""
        self._path = path
        self._keys_max = keys_max
        self._alone = threading.Lock()
        try:
            self._connection = apsw.Connection(str(path))
            self._connection.set_busy_timeout(BUSY_MS_MAX)
            self._prepare()
        except apsw.Error as fault:
            raise self._fault(fault) from fault

    def claim(self, claims: Sequence[Claim], now: Micros) -> list[Verdict]:
        """Claim keys. May block; raises UsedKeysFault."""
        if len(claims) > CLAIMS_MAX:
            raise ValueError(f"at most {CLAIMS_MAX} claims at once")
        try:
            with self._alone:
                return self._claimed(claims, now)
        except apsw.Error as fault:
            raise self._fault(fault) from fault

    def close(self) -> None:
        """Close the file."""
        with self._alone:
            self._connection.close()

    def _prepare(self) -> None:
        connection = self._connection
        connection.execute("BEGIN EXCLUSIVE")
        try:
            self._check_made_by_us()
            connection.execute(_SCHEMA)
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", SCHEMA_VERSION)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            connection.close()
            raise
        connection.pragma("journal_mode", "wal")
        connection.execute("PRAGMA synchronous = FULL")

    def _check_made_by_us(self) -> None:
        found = self._connection.pragma("application_id"), self._connection.pragma("user_version")
        if found not in {(0, 0), (APPLICATION_ID, SCHEMA_VERSION)}:
            raise UsedKeysFault(f"{self._path.name} is not of this version; move it away")

    def _claimed(self, claims: Sequence[Claim], now: Micros) -> list[Verdict]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            verdicts = [self._verdict(claim, now) for claim in claims]
            self._forget(verdicts.count("first"), now)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return verdicts

    def _verdict(self, claim: Claim, now: Micros) -> Verdict:
        row = self._connection.execute(
            "SELECT fingerprint, at FROM used WHERE event_id = ?", (claim.event_id,)
        ).fetchone()
        if row is not None and row[1] > now - KEPT_FOR:
            return "same" if row[0] == claim.fingerprint else "other"
        if row is not None:
            self._connection.execute("DELETE FROM used WHERE event_id = ?", (claim.event_id,))
            self._connection.execute("UPDATE kept SET number = number - 1")
        self._connection.execute(
            "INSERT INTO used (event_id, fingerprint, at) VALUES (?, ?, ?)",
            (claim.event_id, claim.fingerprint, now),
        )
        return "first"

    def _forget(self, added: int, now: Micros) -> None:
        """Forget keys that are over, and the oldest beyond the limit: at least as many as were added."""
        kept = added + int(self._connection.execute("SELECT number FROM kept").get)
        beyond = min(max(0, kept - self._keys_max), CLAIMS_MAX)
        forgotten = self._delete(_FORGET_OLDEST, (beyond,)) if beyond else 0
        forgotten += self._delete(_FORGET_OVER, (now - KEPT_FOR, FORGOTTEN_AT_ONCE_MAX))
        self._connection.execute("UPDATE kept SET number = ?", (kept - forgotten,))

    def _delete(self, statement: str, values: tuple[int, ...]) -> int:
        self._connection.execute(statement, values)
        return self._connection.changes()

    def _fault(self, fault: apsw.Error) -> UsedKeysFault:
        return UsedKeysFault(
            f"{self._path.name} cannot be used ({type(fault).__name__}); see to the disk, then try again"
        )
