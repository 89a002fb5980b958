"""A projector that is killed, and one that goes on from there, come to what nobody disturbed comes to."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(1_800)  # A long run kills hundreds of projectors.

KILLS, KILLS_LONG = 40, 400


def run(how: str, kills: int, store: str = "careful", seed: int = 1) -> dict[str, Any]:
    """What the killing program found."""
    command = [sys.executable, "-m", "tests.simulation.killed_projector", how]
    command += ["--store", store, "--kills", str(kills), "--seed", str(seed)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.fixture
def kills(long_run: bool) -> int:
    """How many projectors a test kills."""
    return KILLS_LONG if long_run else KILLS


def test_killed_at_any_write_nothing_is_lost_or_doubled(kills: int, count: Callable[..., None]) -> None:
    """Killed in the middle of any write of the store, and started again: the same store, to the byte."""
    found = run("by-write", kills)
    assert found["differing"] == []
    assert found["killed"] >= min(kills, found["writes"]) * 0.9
    count("projectors killed in a write", seed=1, kills=found["killed"])


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_again_and_again(kills: int, seed: int, count: Callable[..., None]) -> None:
    """Killed at random moments, one after the other until one finishes: the same store, to the byte."""
    found = run("by-chance", kills, seed=seed)
    assert found["differing"] == []
    assert found["killed"] >= kills
    count(f"projectors killed at random, seed {seed}", seed=seed, kills=found["killed"])


def test_several_projectors_at_once(kills: int) -> None:
    """Projectors that fold one store at once, one of them killed, give way to each other: the same store."""
    found = run("together", kills // 4)
    assert found["differing"] == []
    assert found["killed"] >= kills // 4


def test_a_checkpoint_saved_apart_is_caught(kills: int) -> None:
    """A planted bug, the checkpoint saved in a transaction of its own, is found by killing at writes."""
    assert run("by-write", kills, "careless")["differing"] != []
