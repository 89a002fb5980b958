"""A small file for its owner: whole after every kill, read again once it changed, closed by every fault."""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from choice_ledger.owner_file import FILE_BYTES_MAX, LOOK_INTERVAL_MS_MAX, FileFault, Followed, OwnerFile
from tests.tidy.source import ROOT


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file of these tests holds."""

    numbers: tuple[int, ...] = ()


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def file(tmp_path: Path) -> OwnerFile[Numbers]:
    """A file that is not there yet."""
    return numbers_in(tmp_path / "numbers.json")


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Files are for their owner alone, whatever the process would give to others."""
    before = os.umask(0)
    yield
    os.umask(before)


def numbers_in(path: Path) -> OwnerFile[Numbers]:
    return OwnerFile(path, Numbers, Numbers())


def add(file: OwnerFile[Numbers], number: int) -> None:
    file.change(lambda content: Numbers((*content.numbers, number)))


def put(file: OwnerFile[Numbers], number: int) -> None:
    file.change(lambda content: Numbers((number,)))


def followed(file: OwnerFile[Numbers], clock: Clock) -> "Followed[Numbers, set[int]]":
    return Followed(file, lambda content: set(content.numbers), set(), clock)


def files_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_file_that_is_not_there_is_empty(file: OwnerFile[Numbers]) -> None:
    """What was never written holds nothing, and reading it makes no file."""
    assert file.read() == Numbers()
    assert list(file.path.parent.iterdir()) == []


def test_what_was_changed_is_read(file: OwnerFile[Numbers]) -> None:
    """Each change sees the one before it."""
    for number in (3, 1, 2):
        add(file, number)
    assert file.read().numbers == (3, 1, 2)


def test_files_are_for_their_owner_alone(file: OwnerFile[Numbers]) -> None:
    """The file and its lock have the mode 0600, also where the process gives everything to everybody."""
    add(file, 1)
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in file.path.parent.iterdir()} == {
        "numbers.json": "0o600",
        "numbers.lock": "0o600",
    }


def test_what_an_edit_raises_leaves_all_as_it_was(file: OwnerFile[Numbers]) -> None:
    """An edit that ends in a fault writes nothing, and the next one is not locked out."""
    add(file, 1)

    def fails(content: Numbers) -> Numbers:
        raise LookupError

    with pytest.raises(LookupError):
        file.change(fails)
    assert file.read().numbers == (1,)
    add(file, 2)
    assert file.read().numbers == (1, 2)


def test_writing_is_flushed_before_and_after_the_replacement(
    file: OwnerFile[Numbers], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is on disk before it takes the name, and the name is before the change is called done."""
    order = []
    fsync, replace = os.fsync, Path.replace

    def flushes(descriptor: int) -> None:
        order.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def replaces(self: Path, target: Path) -> Path:
        order.append(("replace", target.name))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", flushes)
    monkeypatch.setattr(Path, "replace", replaces)
    add(file, 1)
    assert order == [
        ("flush", "numbers.new"),
        ("replace", "numbers.json"),
        ("flush", file.path.parent.name),
    ]


KILLED_EVERYWHERE = """
import itertools, json, os, signal, sys
from pathlib import Path
from choice_ledger import owner_file
from tests.unit.test_owner_file import add, numbers_in

path, seen = Path(sys.argv[1]), []
add(numbers_in(path), 1)
for statement in itertools.count(1):
    child = os.fork()
    if child == 0:
        left = statement
        def trace(frame, event, _):
            global left
            if frame.f_code.co_filename != owner_file.__file__:
                return None
            left -= event == "line"
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
        sys.settrace(trace)
        add(numbers_in(path), 2)
        os._exit(0)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    content = list(numbers_in(path).read().numbers)
    seen.append(content)
    if content != [1]:
        numbers_in(path).change(lambda _: type(_)((1,)))
    if not killed:
        break
print(json.dumps(seen))
"""


def test_a_kill_at_any_statement_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """A process is killed at each statement in turn: the file is whole, and the next one can change it."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED_EVERYWHERE, str(tmp_path / "numbers.json")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    seen = json.loads(done.stdout)
    assert len(seen) > 25
    assert {tuple(content) for content in seen} == {(1,), (1, 2)}
    assert seen[0] == [1]
    assert seen[-1] == [1, 2]


MANY_ADD = """
import sys
from pathlib import Path
from tests.unit.test_owner_file import add, numbers_in

file, first = numbers_in(Path(sys.argv[1])), int(sys.argv[2])
for number in range(first, first + 25):
    add(file, number)
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    """Four processes add at the same time, and every number is there."""
    path = tmp_path / "numbers.json"
    command = [sys.executable, "-c", MANY_ADD, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [subprocess.Popen([*command, str(n * 25)], env=environment) for n in range(4)]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    assert sorted(numbers_in(path).read().numbers) == list(range(100))


DAMAGED = {
    "empty": b"",
    "cut": b'{"numbers":[1,',
    "another type": b'{"numbers":["1"]}',
    "of a newer version": b'{"numbers":[1],"colours":[]}',
    "no UTF-8": b'{"numbers":[\xff]}',
    "deep": b"[" * 100_000,
    "another document": b'{"numbers":[1]}{"numbers":[]}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_a_fault_and_is_not_written_over(file: OwnerFile[Numbers], content: bytes) -> None:
    """What is not understood is never taken for nothing, and nobody loses it to the next change."""
    file.path.write_bytes(content)
    file.path.chmod(0o600)
    with pytest.raises(FileFault, match=r"numbers\.json is damaged"):
        file.read()
    with pytest.raises(FileFault):
        add(file, 2)
    assert file.path.read_bytes() == content


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_not_trusted(file: OwnerFile[Numbers], mode: int) -> None:
    """Whoever else may write the file could give themselves anything: it is refused."""
    add(file, 1)
    file.path.chmod(mode)
    with pytest.raises(FileFault, match="chmod"):
        file.read()


def test_a_file_that_is_a_directory_is_a_fault(file: OwnerFile[Numbers]) -> None:
    """What cannot be read at all is a fault too."""
    file.path.mkdir(0o700)
    with pytest.raises(FileFault, match="cannot be read"):
        file.read()


def test_a_file_may_be_so_large_and_no_larger(file: OwnerFile[Numbers]) -> None:
    """A file of the greatest size is read, a larger one is refused unread, and none is written."""
    text = b'{"numbers":[1]}'
    file.path.touch(0o600)
    file.path.write_bytes(text.ljust(FILE_BYTES_MAX))
    assert file.read().numbers == (1,)
    file.path.write_bytes(text.ljust(FILE_BYTES_MAX + 1))
    with pytest.raises(FileFault, match="more than"):
        file.read()
    file.path.unlink()
    with pytest.raises(FileFault, match="would have"):
        file.change(lambda _: Numbers(tuple([10**18] * (FILE_BYTES_MAX // 16))))
    assert not file.path.exists()


def test_a_follower_sees_a_change_once_it_looks(file: OwnerFile[Numbers]) -> None:
    """What another process wrote is seen when the interval is over, and not looked for before."""
    clock = Clock()
    following = followed(file, clock)
    add(file, 1)
    clock.now_s += LOOK_INTERVAL_MS_MAX / 1_000 - 0.001
    assert following.current() == set()
    clock.now_s += 0.001
    assert following.current() == {1}


def test_a_follower_can_look_at_once(file: OwnerFile[Numbers]) -> None:
    """Whoever misses something need not wait for the interval."""
    following = followed(file, Clock())
    add(file, 1)
    assert following.look() == {1}


def test_a_follower_reads_a_file_once_until_it_changes(file: OwnerFile[Numbers]) -> None:
    """A file that did not change is not read again: its index stays the very same."""
    add(file, 1)
    clock = Clock()
    following = followed(file, clock)
    first = following.current()
    clock.now_s += 10
    assert following.current() is first


def test_a_follower_sees_changes_that_follow_at_once(
    file: OwnerFile[Numbers], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of changes that come as fast as they can, the last is seen, though the size is the same as before."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    add(file, 0)
    following = followed(file, Clock())
    for number in range(300):
        put(file, -9)
        put(file, number % 10)
        assert following.look() == {number % 10}


def test_a_follower_sees_a_file_that_was_restored_or_removed(file: OwnerFile[Numbers]) -> None:
    """An old file that comes back is read; where it goes away nothing is left of it."""
    add(file, 1)
    kept = file.path.with_name("kept")
    os.link(file.path, kept)
    following = followed(file, Clock())
    add(file, 2)
    assert following.look() == {1, 2}
    kept.replace(file.path)
    assert following.look() == {1}
    file.path.unlink()
    assert following.look() == set()
    assert following.fault is None


def test_a_follower_of_a_damaged_file_denies_and_says_so_once(file: OwnerFile[Numbers]) -> None:
    """While the file is damaged there is nothing, with one line of log; once it is mended all is back."""
    add(file, 1)
    following = followed(file, Clock())
    good = file.path.read_bytes()
    with capture_logs() as logs:
        file.path.write_bytes(b'{"numbers": [7], "secret": "s3cret"}')
        assert [following.look() for _ in range(3)] == [set(), set(), set()]
    assert following.fault is not None
    assert "numbers.json" in following.fault
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert "s3cret" not in str(logs)
    file.path.write_bytes(good)
    assert following.look() == {1}
    assert following.fault is None


def test_a_follower_of_a_damaged_file_begins_denied(file: OwnerFile[Numbers]) -> None:
    """A service that starts beside a damaged file starts denied."""
    file.path.write_bytes(b"?")
    file.path.chmod(0o600)
    following = followed(file, Clock())
    assert following.current() == set()
    assert following.fault is not None


def test_a_follower_of_an_index_that_cannot_be_made_is_a_defect(file: OwnerFile[Numbers]) -> None:
    """A fault of our own is not hidden as a fault of the file."""
    with pytest.raises(ZeroDivisionError):
        Followed(file, lambda _: 1 // 0, 0, Clock())


def test_followers_leave_no_file_open(file: OwnerFile[Numbers]) -> None:
    """One file is held open at a time, and none once its follower is gone."""
    gc.collect()
    before = files_open()
    following = followed(file, Clock())
    for number in range(20):
        add(file, number)
        following.look()
    assert files_open() == before + 1
    del following
    gc.collect()
    assert files_open() == before
