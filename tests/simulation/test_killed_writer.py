"""Writers killed at any moment: what they acknowledged is in the log, and its file is sound."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulation.embedded_trial import held, lost
from tests.simulation.killed_writer import APPENDS

ROOT = Path(__file__).parents[2]
KILLS_SHORT = 5
KILLS_LONG = 60
SEED = 20_260_503


def started(what: str, folder: Path) -> subprocess.Popen[str]:
    """A process that writes there."""
    command = [sys.executable, "-m", "tests.simulation.killed_writer", what, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", ["before", "halfway"])
def test_a_writer_killed_at_each_step_of_the_disk(tmp_path: Path, how: str) -> None:
    """For every write, sync and removal of a small workload, one process is killed right before it, or with
    half of the write done: what it acknowledged is there when the log is opened again.
    """
    with started(how, tmp_path) as process:
        output, _ = process.communicate(timeout=100)
    trials = [json.loads(line) for line in output.splitlines()]
    assert [trial["killed"] for trial in trials] == [True] * (len(trials) - 1) + [False]
    assert len(trials) > 5 * APPENDS
    for trial in trials:
        assert lost(trial["acknowledged"], Path(trial["folder"])) == set(), trial["folder"]
    assert max(len(trial["acknowledged"]) for trial in trials[:-1]) == len(trials[-1]["acknowledged"])


@pytest.mark.timeout(900)
def test_writers_killed_at_random_moments(tmp_path: Path, long_run: bool, count: Callable[..., None]) -> None:
    """A process of eight threads is killed again and again on one log, at moments drawn at random: after
    each kill, everything that any of them acknowledged is there.
    """
    dice = random.Random(SEED)
    acknowledged: dict[str, int] = {}
    kills = KILLS_LONG if long_run else KILLS_SHORT
    for _ in range(kills):
        with started("on-and-on", tmp_path) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(dice.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            lines = [first, *process.stdout.readlines()]
        # The kill may cut the last line short: that append's caller was told nothing.
        complete = [line.split() for line in lines if line.endswith("\n")]
        acknowledged |= {event_id: int(recorded_at) for event_id, recorded_at in complete}
        assert lost(acknowledged, tmp_path) == set()
    assert len(acknowledged) > KILLS_SHORT
    assert len(held(tmp_path)) >= len(acknowledged)
    count("writers killed at random", seed=SEED, kills=kills, acknowledged=len(acknowledged))
