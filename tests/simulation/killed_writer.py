"""A process that writes to an embedded log and is killed: run as `python -m tests.simulation.killed_writer`.

It prints what was acknowledged, an id and a time a line, as soon as each append has returned.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from tests.simulation.disks import Step, watched_disk
from tests.simulation.embedded_trial import append, open_log, told, workload

APPENDS = 6
CHECKPOINT_PAGES = 10
"""So few that the short workload contains a checkpoint."""

THREADS = 8


class Executioner:
    """Kills its own process at the n-th step of the disk: before it, or with half of a write done."""

    def __init__(self, at: int, *, halfway: bool, path: Path) -> None:
        self._left = at
        self._halfway = halfway
        self._path = path

    def __call__(self, step: Step) -> None:
        self._left -= 1
        if self._left > 0:
            return
        if self._halfway and step.kind == "write":
            with (self._path / step.file).open("r+b") as file:
                os.pwrite(file.fileno(), step.data[: len(step.data) // 2], step.offset)
        os.kill(os.getpid(), signal.SIGKILL)


def write_until_killed(folder: Path, at: int, *, halfway: bool, told_to: int) -> None:
    """The short workload on a disk that kills at its n-th step; each acknowledgement goes to a pipe."""
    with watched_disk("deadly", Executioner(at, halfway=halfway, path=folder)) as disk:
        log = open_log(folder, disk.name)
        log._writer._connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        for events in workload(APPENDS):
            for event_id, recorded_at in (told(outcome) for outcome in append(log, events)):
                os.write(told_to, f"{event_id} {recorded_at}\n".encode())
        log.close()


def kill_at_every_step(root: Path, *, halfway: bool) -> None:
    """One process for each step of the workload, each killed there; prints a JSON line for each."""
    at, was_killed = 0, True
    while was_killed:
        at += 1
        folder = root / str(at)
        folder.mkdir()
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            write_until_killed(folder, at, halfway=halfway, told_to=writing)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            lines = pipe.read().splitlines()
        was_killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        acknowledged = {line.split()[0]: int(line.split()[1]) for line in lines}
        print(json.dumps({"folder": str(folder), "killed": was_killed, "acknowledged": acknowledged}))


def write_on_and_on(folder: Path) -> None:
    """Append from several threads until somebody kills this process."""
    log = open_log(folder)

    def work() -> None:
        while True:
            for events in workload(50):
                lines = [f"{event_id} {at}\n" for event_id, at in map(told, append(log, events))]
                os.write(sys.stdout.fileno(), "".join(lines).encode())

    for _ in range(THREADS):
        threading.Thread(target=work).start()


def main(what: str, where: str) -> None:
    """Run one of the trials."""
    if what == "on-and-on":
        write_on_and_on(Path(where))
    else:
        kill_at_every_step(Path(where), halfway=what == "halfway")


if __name__ == "__main__":
    main(*sys.argv[1:])
