"""Two processes write to one embedded log at once."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.simulation.embedded_trial import held

ROOT = Path(__file__).parents[2]
PROCESSES = ("one", "two")
THREADS = 3
APPENDS_SHORT = 60
APPENDS_LONG = 2_000


class Told(NamedTuple):
    """One acknowledgement, as the process that had it prints it."""

    writer: str
    event_id: str
    recorded_at: int
    offset: int


def written(folder: Path, appends: int) -> list[list[Told]]:
    """What each of the processes was told, in the order of its calls; both begin on a log that is not
    there.
    """
    module = "tests.simulation.one_of_two_writers"
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", module, str(folder), name, str(THREADS), str(appends)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in PROCESSES
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("begin\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=250)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(PROCESSES)
    return [
        [
            Told(writer, event_id, int(at), int(offset))
            for writer, event_id, at, offset in map(str.split, lines)
        ]
        for lines in (output.splitlines() for output in outputs)
    ]


@pytest.mark.timeout(300)
def test_two_processes_write_to_one_log(tmp_path: Path, long_run: bool) -> None:
    """Two processes that make and write one log together lose and double nothing: offsets have no holes, no
    two events share one, times grow with the offsets, and each thread's events stand in the order of its
    calls.
    """
    appends = APPENDS_LONG if long_run else APPENDS_SHORT
    told = written(tmp_path, appends)
    everything = sorted((one for process in told for one in process), key=lambda one: one.offset)
    assert [one.offset for one in everything] == list(range(len(PROCESSES) * THREADS * appends))
    assert all(one.recorded_at < following.recorded_at for one, following in pairwise(everything))
    found = held(tmp_path)
    assert len(found) == len(everything) + 1
    for one in everything:
        event, recorded_at = found[one.event_id]
        assert (event.key, recorded_at) == (f"acme/{one.writer}", one.recorded_at)
    for process in told:
        for writer in {one.writer for one in process}:
            offsets = [one.offset for one in process if one.writer == writer]
            assert offsets == sorted(offsets)


def test_two_processes_take_turns(tmp_path: Path) -> None:
    """Neither process waits for the other to finish: their events alternate in the log."""
    told = written(tmp_path, APPENDS_SHORT)
    first, second = ({one.offset for one in process} for process in told)
    assert min(first) < max(second)
    assert min(second) < max(first)
