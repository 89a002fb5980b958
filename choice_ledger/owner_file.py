"""A small JSON file for its owner alone: replaced in one step, changed by one process at a time, and read
again by whoever follows it once it has changed.

A process that is killed anywhere leaves the old file or the new one, whole. A file that cannot be read or
understood counts as a fault, never as an empty one: what follows it then denies.
"""

import fcntl
import os
import stat
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec
import structlog

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of such a file; a larger one was not written by this program."""

LOOK_INTERVAL_MS_MAX: Final = 250
"""How long a follower goes on with what it read before it looks whether the file has changed."""

_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH

_Content = TypeVar("_Content", bound=msgspec.Struct)
_Index = TypeVar("_Index")
_Identity = tuple[int, int, int, int, int]


class FileFault(Exception):
    """A file that cannot be used as it stands. The message names it, and repeats nothing of its content."""


class OwnerFile(Generic[_Content]):
    """A file with one JSON document of a known type. Safe from many threads and processes."""

    def __init__(self, path: Path, kind: type[_Content], empty: _Content) -> None:
        """Use a file, which stands for ``empty`` until it is written for the first time."""
        self.path = path
        self.empty = empty
        self._decoder = msgspec.json.Decoder(kind)

    def read(self) -> _Content:
        """What the file holds. Raises FileFault."""
        with _open_to_read(self.path) as descriptor:
            return self.empty if descriptor is None else self.decoded(descriptor)

    def change(self, edit: Callable[[_Content], _Content]) -> None:
        """Put what ``edit`` makes of the content in its place, durably; what it raises leaves all as it was.

        Raises FileFault where the content cannot be read: what is not understood is not written over.
        """
        with self._alone():
            content = edit(self.read())
            encoded = msgspec.json.format(msgspec.json.encode(content), indent=1)
            if len(encoded) > FILE_BYTES_MAX:
                raise FileFault(f"{self.path.name} would have more than {FILE_BYTES_MAX} bytes")
            self._replace(encoded)

    def decoded(self, descriptor: int) -> _Content:
        """What an open file holds. Raises FileFault."""
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & _OTHERS_MAY_WRITE:
            raise FileFault(f"{self.path.name} may be written by others than its owner; chmod go= it")
        try:
            content = _read_all(descriptor)
        except OSError as fault:
            raise FileFault(f"{self.path.name} cannot be read ({fault.strerror})") from None
        if len(content) > FILE_BYTES_MAX:
            raise FileFault(f"{self.path.name} has more than {FILE_BYTES_MAX} bytes; restore it")
        try:
            return self._decoder.decode(content)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            what = "is damaged, or was written by a newer version of this program"
            raise FileFault(f"{self.path.name} {what}; restore it from a backup") from None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = os.open(self.path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _replace(self, content: bytes) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.unlink(
            missing_ok=True
        )  # A process that was killed left it behind; the lock says that none is at it.
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        _flush_directory(self.path.parent)


class Followed(Generic[_Content, _Index]):
    """What a file says, as an index made of it, never older than ``LOOK_INTERVAL_MS_MAX``.

    While the file cannot be used the index is ``unusable``, which must deny, and ``fault`` says why.
    For one thread, or for several that may each look at the file.
    """

    def __init__(
        self,
        file: OwnerFile[_Content],
        indexed: Callable[[_Content], _Index],
        unusable: _Index,
        clock_s: Callable[[], float],
    ) -> None:
        """Follow a file by a clock that never goes back."""
        self._file = file
        self._indexed = indexed
        self._unusable = unusable
        self._clock_s = clock_s
        self._index = unusable
        self._seen: _Seen | None = None
        self._look_at_s = 0.0
        self.fault: str | None = None
        self.look()

    def current(self) -> _Index:
        """The index of what the file held at most ``LOOK_INTERVAL_MS_MAX`` ago."""
        if self._clock_s() >= self._look_at_s:
            self.look()
        return self._index

    def look(self) -> _Index:
        """The index of what the file holds now. Reads it only where it is another than before."""
        self._look_at_s = self._clock_s() + LOOK_INTERVAL_MS_MAX / 1_000
        if (
            self._seen is None
            or self.fault is not None
            or self._seen.identity != _identity_of(self._file.path)
        ):
            self._read()
        return self._index

    def _read(self) -> None:
        try:
            with _open_to_read(self._file.path) as descriptor:
                seen = _Seen(descriptor)
                content = self._file.empty if descriptor is None else self._file.decoded(descriptor)
                index = self._indexed(content)
        except FileFault as fault:
            self._deny(str(fault))
        else:
            self._index, self._seen, self.fault = index, seen, None

    def _deny(self, fault: str) -> None:
        if fault != self.fault:
            structlog.get_logger(__name__).error("a file cannot be used, so all is denied", fault=fault)
        self._index, self.fault = self._unusable, fault


class _Seen:
    """Which file was read. It is kept open, so that no later file can be given the same inode number."""

    def __init__(self, descriptor: int | None) -> None:
        self.identity = None if descriptor is None else _identity(os.fstat(descriptor))
        if descriptor is not None:
            weakref.finalize(self, os.close, os.dup(descriptor))


def _identity_of(path: Path) -> _Identity | None:
    try:
        return _identity(path.stat())
    except OSError:
        return None


def _identity(of: os.stat_result) -> _Identity:
    return of.st_dev, of.st_ino, of.st_size, of.st_mtime_ns, of.st_ctime_ns


@contextmanager
def _open_to_read(path: Path) -> Iterator[int | None]:
    """The file, open; none where there is none. Raises FileFault."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        yield None
        return
    except OSError as fault:
        raise FileFault(f"{path.name} cannot be read ({fault.strerror})") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    """The whole file, or as much of it as shows that it is too large."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read(FILE_BYTES_MAX + 1)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
