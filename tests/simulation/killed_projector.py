"""A program that kills projectors: `python -m tests.simulation.killed_projector --help`.

It forks a projector that folds a log in memory into a SQLite store, kills it (SIGKILL) at a chosen write or
at a random moment, lets another go on from what is left, and compares the whole store with that of a
projector that nobody killed. It prints what it found as JSON.

It runs as a process of its own because it forks: nothing else may be going on in it.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import apsw
import msgspec

from events.union import Recorded
from projections.digest import state_digest
from projections.ports import Change
from projections.projector import Projector
from projections.sqlite_store import SqliteStore
from tests.simulation.logs import RawLog, world_events

Found = dict[str, object]
"""How many writes an undisturbed projector makes, how many were killed, after which the store differs."""

VFS = "killing"
WORLDS = 12
LIMIT = 40
TOGETHER = 3
"""Projectors that fold the same store at once."""


class KillingVfs(apsw.VFS):
    """The way to the disk that counts writes, and kills its own process in the middle of one of them."""

    def __init__(self, kill_at: int | None) -> None:
        super().__init__(VFS, "")
        self.kill_at = kill_at
        self.writes = 0

    def xOpen(  # noqa: N802 - SQLite's own name.
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> "KillingFile":
        return KillingFile(self, name, flags)


class KillingFile(apsw.VFSFile):
    """A file of that way."""

    def __init__(self, vfs: KillingVfs, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self.vfs = vfs

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's own name.
        self.vfs.writes += 1
        if self.vfs.writes == self.vfs.kill_at:
            super().xWrite(bytes(data)[: len(data) // 2], offset)
            os.kill(os.getpid(), signal.SIGKILL)
        super().xWrite(data, offset)


class CarelessStore(SqliteStore):
    """The planted bug: the checkpoint is saved in a transaction of its own, before the facts."""

    def apply(self, change: Change) -> None:
        super().apply(change._replace(facts={}, history=(), reach=()))
        super().apply(change._replace(expected=change.reached, policies=(), quarantined=(), resolved=()))


STORES = {"careful": SqliteStore, "careless": CarelessStore}


def made_log(seed: int) -> RawLog:
    """Some worlds in three partitions, with an unreadable record in each."""
    log = RawLog(3)
    for number in range(WORLDS):
        records = [
            log.put_event(of_tenant(recorded, f"{recorded.event.tenant}-{number}"))
            for recorded in world_events(seed + number)
        ]
        log.put(records[-1].slice, records[-1].key, records[-1].value[:-1])
    return log


def of_tenant(recorded: Recorded, tenant: str) -> Recorded:
    """The same event of another tenant."""
    return Recorded(msgspec.structs.replace(recorded.event, tenant=tenant), recorded.recorded_at)


class Trial:
    """One log, and stores of one kind in a folder."""

    def __init__(self, kind: str, seed: int, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.log = made_log(seed)
        self.names = 0

    def fresh(self) -> Path:
        """A place where no store is."""
        self.names += 1
        return self.folder / f"state-{self.names}.sqlite"

    def fold(self, path: Path, kill_at: int | None = None) -> str:
        """Fold what is left, in a way that kills this process at that write; the store and the writes."""
        vfs = KillingVfs(kill_at)
        store = STORES[self.kind](path, VFS)
        Projector(self.log, store).catch_up(limit=LIMIT)
        store.close()
        writes = vfs.writes
        again = SqliteStore(path)
        found = f"{state_digest(again)} {contents(again)}"
        again.close()
        return json.dumps([found, writes])


def contents(store: SqliteStore) -> str:
    """A digest of everything that can be read of a store."""
    with store.view() as reads:
        keys = [key for key, _ in reads.scan()]
        tenants = sorted({key.partition("/")[0] for key in keys})
        everything = (
            reads.checkpoint(),
            [list(reads.history(key)) for key in keys],
            list(reads.policies()),
            [list(reads.reach(tenant, policy)) for tenant in tenants for policy in ("website", "staff")],
            list(reads.open_quarantine()),
        )
    return hashlib.sha256(repr(everything).encode()).hexdigest()


class Child:
    """A forked process that does some work and tells its parent what came of it."""

    def __init__(self, work: Callable[[], str]) -> None:
        self._pipe, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.write(writing, work().encode())
                os._exit(0)
            except BaseException:  # noqa: BLE001 - nothing of the parent's may run on in the child.
                traceback.print_exc()
                os._exit(3)
        os.close(writing)

    def kill(self) -> None:
        """End it at once, wherever it is."""
        os.kill(self._pid, signal.SIGKILL)

    def told(self) -> str | None:
        """What it told at its end; none if it was killed. Any other end raises."""
        with os.fdopen(self._pipe) as pipe:
            told = pipe.read()
        _, status = os.waitpid(self._pid, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return None
        if status:
            raise ChildProcessError("a projector failed; its traceback stands above")
        return told

    def finished(self) -> tuple[str, int]:
        """The store's digest and the number of writes, of a projector that was not killed."""
        told = self.told()
        if told is None:
            raise ChildProcessError("a projector was killed that should have lived")
        found, writes = json.loads(told)
        return found, writes


def by_write(trial: Trial, points_max: int) -> Found:
    """Kill at each write, or at so many that are evenly spread; at which of them the store differs then."""
    expected, writes = Child(partial(trial.fold, trial.fresh())).finished()
    points = {1 + number * (writes - 1) // (points_max - 1) for number in range(points_max)}
    killed, differing = 0, []
    for point in sorted(points):
        path = trial.fresh()
        killed += Child(partial(trial.fold, path, point)).told() is None
        if Child(partial(trial.fold, path)).finished()[0] != expected:
            differing.append(point)
    return {"writes": writes, "killed": killed, "differing": differing}


def by_chance(trial: Trial, kills: int, dice: random.Random) -> Found:
    """Kill so many projectors at random moments, of one store until it is whole, then of the next."""
    began = time.monotonic()
    expected, writes = Child(partial(trial.fold, trial.fresh())).finished()
    seconds = time.monotonic() - began
    killed, differing = 0, []
    while killed < kills:
        path, told = trial.fresh(), None
        while told is None and killed < kills:
            child = Child(partial(trial.fold, path))
            time.sleep(dice.uniform(0, seconds))
            child.kill()
            told = child.told()
            killed += told is None
        if Child(partial(trial.fold, path)).finished()[0] != expected:
            differing.append(killed)
    return {"writes": writes, "killed": killed, "differing": differing}


def together(trial: Trial, kills: int, dice: random.Random) -> Found:
    """Let several projectors fold one store at once, and kill one of them; the others must finish it."""
    began = time.monotonic()
    expected, writes = Child(partial(trial.fold, trial.fresh())).finished()
    seconds = time.monotonic() - began
    killed, differing = 0, []
    while killed < kills:
        path = trial.fresh()
        doomed, *others = [Child(partial(trial.fold, path)) for _ in range(TOGETHER)]
        time.sleep(dice.uniform(0, seconds))
        doomed.kill()
        killed += doomed.told() is None
        if {other.finished()[0] for other in others} != {expected}:
            differing.append(killed)
    return {"writes": writes, "killed": killed, "differing": differing}


def main() -> None:
    """Kill as the options say, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("how", choices=["by-write", "by-chance", "together"])
    parser.add_argument("--store", choices=sorted(STORES), default="careful")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        trial = Trial(options.store, options.seed, Path(name))
        if options.how == "by-write":
            found = by_write(trial, options.kills)
        elif options.how == "by-chance":
            found = by_chance(trial, options.kills, dice)
        else:
            found = together(trial, options.kills, dice)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
