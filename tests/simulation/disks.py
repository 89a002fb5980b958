"""Disks for SQLite that a test can watch, break and cut off: VFS shims over the system's own.

Shared memory and locks are left to the system. What is watched is what a power cut can lose: writes,
truncations and syncs of the database and of its write-ahead log.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import apsw

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""

StepKind: TypeAlias = Literal["write", "truncate", "sync", "delete", "mark"]


class Step(NamedTuple):
    """One thing that happened to a file; a ``mark`` is the test's own and happened to none."""

    kind: StepKind
    file: str = ""
    offset: int = 0
    data: bytes = b""
    mark: object = None


Watcher: TypeAlias = Callable[[Step], None]
"""Called before each step. It may raise an apsw.Error, as a broken disk does, or end the process."""


class _WatchedFile(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], watcher: Watcher) -> None:
        super().__init__("", name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._file = Path(path).name
        self._watcher = watcher

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 — SQLite's own name.
        self._watcher(Step("write", self._file, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 — SQLite's own name.
        self._watcher(Step("truncate", self._file, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 — SQLite's own name.
        self._watcher(Step("sync", self._file))
        super().xSync(flags)


class WatchedDisk(apsw.VFS):
    """A disk whose every step is shown to ``watcher`` first. ``name`` is what SQLite calls it by."""

    def __init__(self, name: str, watcher: Watcher) -> None:
        self.name = name
        self._watcher = watcher
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 — SQLite's own name.
        return _WatchedFile(name, flags, self._watcher)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 — SQLite's own name.
        self._watcher(Step("delete", Path(filename).name))
        super().xDelete(filename, syncdir)
        if syncdir:
            self._watcher(Step("sync", Path(filename).name))


@contextmanager
def watched_disk(name: str, watcher: Watcher) -> Iterator[WatchedDisk]:
    """Such a disk, for as long as the context lasts."""
    disk = WatchedDisk(name, watcher)
    try:
        yield disk
    finally:
        disk.unregister()


class BreakableDisk:
    """A watcher that lets everything pass until ``fault`` is set; then the ``kinds`` of steps raise it."""

    def __init__(self) -> None:
        self.fault: apsw.Error | None = None
        self.kinds: frozenset[StepKind] = frozenset({"write", "truncate", "sync"})
        self.refusals = 0

    def __call__(self, step: Step) -> None:
        if self.fault is not None and step.kind in self.kinds:
            self.refusals += 1
            raise self.fault


Keep: TypeAlias = Callable[[Step], Step | None]
"""What is left, after a power cut, of a step that was never synced: all of it, a part, or nothing."""


def keep_nothing(_: Step) -> None:
    """The disk had written none of what was not synced."""


def keep_everything(step: Step) -> Step:
    """The disk had happened to write everything."""
    return step


def keep_some(dice: random.Random) -> Keep:
    """The disk had written some sectors of some steps, in no order."""

    def keep(step: Step) -> Step | None:
        if step.kind != "write":
            return step if dice.random() < 0.5 else None
        if dice.random() < 0.3:
            return None
        first, last = sorted(dice.randrange(0, len(step.data) + SECTOR_BYTES) for _ in range(2))
        first, last = (at // SECTOR_BYTES * SECTOR_BYTES for at in (first, last))
        return step._replace(offset=step.offset + first, data=step.data[first:last])

    return keep


def after_power_cut(steps: Sequence[Step], keep: Keep) -> dict[str, bytes]:
    """The files as they are on the disk when the power fails behind the last of the steps."""
    files: dict[str, bytearray] = {}
    for at, step in enumerate(steps):
        if step.kind in {"mark", "sync"}:
            continue
        is_synced = any(later.kind == "sync" and later.file == step.file for later in steps[at:])
        kept: Step | None = step if is_synced else keep(step)
        if kept is not None:
            _apply(files, kept)
    return {name: bytes(content) for name, content in files.items()}


def _apply(files: dict[str, bytearray], step: Step) -> None:
    if step.kind == "delete":
        files.pop(step.file, None)
        return
    content = files.setdefault(step.file, bytearray())
    if step.kind == "truncate":
        del content[step.offset :]
        return
    content.extend(bytes(max(0, step.offset - len(content))))
    content[step.offset : step.offset + len(step.data)] = step.data
