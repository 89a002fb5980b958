"""What is kept of idempotency keys in SQLite: the port's requirements, one by one."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from choice_ledger import sqlite_used_keys
from choice_ledger.http.idempotency import event_id_of, fingerprint_of
from choice_ledger.sqlite_used_keys import BUSY_MS_MAX, FORGOTTEN_AT_ONCE_MAX, SqliteUsedKeys
from choice_ledger.used_keys import CLAIMS_MAX, KEPT_FOR, KEYS_MAX, Claim, UsedKeysFault
from events.instants import DAY
from tests.tidy.source import ROOT

NOW = 1_800_000_000_000_000


def claim(key: int, call: int = 1) -> Claim:
    return Claim(event_id=key.to_bytes(16, "big"), fingerprint=call.to_bytes(32, "big"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.db"


@pytest.fixture
def keys(path: Path) -> Iterator[SqliteUsedKeys]:
    used = SqliteUsedKeys(path)
    yield used
    used.close()


def test_a_key_is_first_used_once(keys: SqliteUsedKeys) -> None:
    """Requirements 1 and 3: the first claim is the first, the same call is the same, another is another."""
    assert keys.claim([claim(1)], NOW) == ["first"]
    assert keys.claim([claim(1)], NOW) == ["same"]
    assert keys.claim([claim(1, call=2)], NOW) == ["other"]
    assert keys.claim([claim(1)], NOW) == ["same"]


def test_claims_of_one_batch_are_made_one_after_another(keys: SqliteUsedKeys) -> None:
    """Requirement 1: a claim sees those before it in its own batch."""
    batch = [claim(1), claim(2), claim(1), claim(2, call=2)]
    assert keys.claim(batch, NOW) == ["first", "first", "same", "other"]


def test_no_claims_are_no_work(keys: SqliteUsedKeys) -> None:
    """An empty batch is answered with nothing."""
    assert keys.claim([], NOW) == []


def test_a_key_outlives_the_process(path: Path) -> None:
    """Requirement 2: what was answered is there when the file is opened again."""
    first = SqliteUsedKeys(path)
    first.claim([claim(1)], NOW)
    first.close()
    again = SqliteUsedKeys(path)
    assert again.claim([claim(1), claim(1, call=2)], NOW) == ["same", "other"]
    again.close()


def test_a_key_outlives_a_killed_process(path: Path) -> None:
    """Requirement 2: a process that is killed the moment it was answered has claimed all the same."""
    script = (
        "import os, sys, pathlib\n"
        "from tests.unit.test_used_keys import NOW, claim\n"
        "from choice_ledger.sqlite_used_keys import SqliteUsedKeys\n"
        "SqliteUsedKeys(pathlib.Path(sys.argv[1])).claim([claim(1)], NOW)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, check=False)
    assert done.returncode == -9
    used = SqliteUsedKeys(path)
    assert used.claim([claim(1, call=2)], NOW) == ["other"]
    used.close()


def test_every_commit_is_flushed(keys: SqliteUsedKeys) -> None:
    """Requirement 2: the file is kept with a write-ahead log that is synced at each commit."""
    assert keys._connection.pragma("journal_mode") == "wal"
    assert keys._connection.pragma("synchronous") == 2


@pytest.mark.parametrize(("after", "verdict"), [(KEPT_FOR - 1, "other"), (KEPT_FOR, "first")])
def test_a_key_is_forgotten_when_it_is_over(keys: SqliteUsedKeys, after: int, verdict: str) -> None:
    """Requirement 3: until `KEPT_FOR` has passed another call is another; from then on the key is free."""
    keys.claim([claim(1)], NOW)
    assert keys.claim([claim(1, call=2)], NOW + after) == [verdict]


def test_the_oldest_are_forgotten_beyond_the_limit(path: Path) -> None:
    """As many keys as may be are remembered; with one more, the oldest is free again."""
    keys = SqliteUsedKeys(path, keys_max=3)
    for number in range(3):
        keys.claim([claim(number)], NOW + number)
    assert keys.claim([claim(n, call=2) for n in range(3)], NOW + 3) == ["other"] * 3
    keys.claim([claim(3)], NOW + 4)
    assert keys.claim([claim(1, call=2), claim(2, call=2), claim(3, call=2)], NOW + 5) == ["other"] * 3
    assert keys.claim([claim(0, call=2)], NOW + 6) == ["first"]
    keys.close()


def test_the_file_holds_no_more_keys_than_the_limit(path: Path) -> None:
    """However many are claimed, at once or one by one, the table stays within its limit."""
    keys = SqliteUsedKeys(path, keys_max=10)
    for start in range(0, 100, 25):
        keys.claim([claim(start + n) for n in range(25)], NOW + start)
    count = keys._connection.execute("SELECT count(*) FROM used").get
    kept = keys._connection.execute("SELECT number FROM kept").get
    assert count == kept == 10
    keys.close()


def test_what_is_over_is_cleared_out(keys: SqliteUsedKeys) -> None:
    """Keys that are over leave the file as others come, so it shrinks to what is in use."""
    keys.claim([claim(n) for n in range(100)], NOW)
    keys.claim([claim(1_000)], NOW + KEPT_FOR + DAY)
    count = keys._connection.execute("SELECT count(*) FROM used").get
    assert count == 1


@pytest.mark.parametrize("over", [0, 1])
def test_one_batch_clears_out_so_many(keys: SqliteUsedKeys, over: int) -> None:
    """`FORGOTTEN_AT_ONCE_MAX` keys that are over go with the next claim; one more waits for the one after."""
    keys.claim([claim(n) for n in range(FORGOTTEN_AT_ONCE_MAX + over)], NOW)
    keys.claim([claim(1_000_000)], NOW + KEPT_FOR)
    assert keys._connection.execute("SELECT count(*) FROM used").get == 1 + over


def test_a_million_keys_are_remembered(path: Path) -> None:
    """The limit that the service uses is the one that is documented, and each key before it is kept."""
    keys = SqliteUsedKeys(path)
    keys._connection.execute("UPDATE kept SET number = ?", (KEYS_MAX - 1,))
    keys.claim([claim(1)], NOW)
    assert keys.claim([claim(1, call=2)], NOW) == ["other"]
    keys.claim([claim(2)], NOW + 1)
    assert keys.claim([claim(2, call=2), claim(1, call=2)], NOW + 2) == ["other", "first"]
    keys.close()


@pytest.mark.parametrize(("held_ms", "is_claimed"), [(50, True), (400, False)])
def test_a_claim_waits_for_another_process(
    path: Path, monkeypatch: pytest.MonkeyPatch, held_ms: int, is_claimed: bool
) -> None:
    """A claim waits up to `BUSY_MS_MAX` for one that writes, and is refused when that takes longer."""
    assert BUSY_MS_MAX >= 1_000
    monkeypatch.setattr(sqlite_used_keys, "BUSY_MS_MAX", 200)
    keys, other = SqliteUsedKeys(path), SqliteUsedKeys(path)
    other._connection.execute("BEGIN IMMEDIATE")
    release = threading.Timer(held_ms / 1_000, lambda: other._connection.execute("COMMIT"))
    release.start()
    if is_claimed:
        assert keys.claim([claim(1)], NOW) == ["first"]
    else:
        with pytest.raises(UsedKeysFault):
            keys.claim([claim(1)], NOW)
    release.join()
    keys.close()
    other.close()


@pytest.mark.parametrize(("number", "is_taken"), [(CLAIMS_MAX, True), (CLAIMS_MAX + 1, False)])
def test_a_batch_is_bounded(keys: SqliteUsedKeys, number: int, is_taken: bool) -> None:
    """A batch of `CLAIMS_MAX` is taken; one claim more is the caller's mistake, and none is made."""
    batch = [claim(n) for n in range(number)]
    if is_taken:
        assert keys.claim(batch, NOW) == ["first"] * number
    else:
        with pytest.raises(ValueError, match="at most"):
            keys.claim(batch, NOW)
        assert keys.claim([claim(0)], NOW) == ["first"]


def test_two_processes_see_each_others_claims(path: Path) -> None:
    """Requirement 5: a key that one connection has claimed is used for another."""
    one, other = SqliteUsedKeys(path), SqliteUsedKeys(path)
    assert one.claim([claim(1)], NOW) == ["first"]
    assert other.claim([claim(1, call=2), claim(2)], NOW) == ["other", "first"]
    assert one.claim([claim(2, call=2)], NOW) == ["other"]
    one.close()
    other.close()


def test_of_many_threads_one_is_first(path: Path) -> None:
    """Requirements 1 and 5: of many that claim one key at once by two connections, one is the first."""
    connections = [SqliteUsedKeys(path), SqliteUsedKeys(path)]
    verdicts: list[str] = []

    def run(number: int) -> None:
        verdicts.extend(connections[number % 2].claim([claim(1, call=number)], NOW))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(verdicts) == ["first"] + ["other"] * 7
    for used in connections:
        used.close()


def test_a_fault_leaves_the_keys_as_they_were(keys: SqliteUsedKeys) -> None:
    """Requirement 4: where the batch cannot be written, none of its keys is claimed."""
    connection = keys._connection
    connection.execute(
        "CREATE TRIGGER t BEFORE INSERT ON used WHEN NEW.at = 7 BEGIN SELECT RAISE(ABORT, 'x'); END"
    )
    with pytest.raises(UsedKeysFault, match="see to the disk"):
        keys.claim([claim(1), claim(2)], 7)
    assert keys.claim([claim(1, call=2)], NOW) == ["first"]


@pytest.mark.parametrize("content", [b"no database, and long enough to be seen as none" * 40, b""])
def test_only_a_file_of_ours_is_used(path: Path, content: bytes) -> None:
    """An empty file becomes ours; one that holds something else is refused, and stays as it is."""
    path.write_bytes(content)
    if not content:
        SqliteUsedKeys(path).close()
        return
    with pytest.raises(UsedKeysFault):
        SqliteUsedKeys(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(path: Path) -> None:
    """A database with other marks is not written to."""
    other = apsw.Connection(str(path))
    other.pragma("application_id", 7)
    other.close()
    with pytest.raises(UsedKeysFault, match="move it away"):
        SqliteUsedKeys(path)


def test_the_file_holds_neither_key_nor_content(path: Path) -> None:
    """What is kept are digests: nothing of a call can be read in the file."""
    event_id = bytes.fromhex(event_id_of("main", "key-of-ana").replace("-", ""))
    fingerprint = fingerprint_of("key-of-ana", "POST", "/v1/choices", b'{"individual":"ana"}')
    keys = SqliteUsedKeys(path)
    keys.claim([Claim(event_id=event_id, fingerprint=fingerprint)], NOW)
    stored = path.read_bytes() + path.with_name("keys.db-wal").read_bytes()
    keys.close()
    assert fingerprint in stored
    assert b"ana" not in stored
