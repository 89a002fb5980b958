"""Power cuts, simulated: what was acknowledged outlives them at whatever step of the disk they come."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ledger.log import Outcome, Proposal
from ledger.sqlite_log import SqliteLog
from ledger.sqlite_writer import SqliteWriter
from tests.simulation.disks import (
    Keep,
    Step,
    after_power_cut,
    keep_everything,
    keep_nothing,
    keep_some,
    watched_disk,
)
from tests.simulation.embedded_trial import append, lost, open_log, told, workload

APPENDS = 14
CHECKPOINT_PAGES = 12
"""So few that the write-ahead log is checkpointed and begun anew several times within a trial."""

SEEDS_SHORT = 1
SEEDS_LONG = 40

Planted = Callable[[SqliteLog], None]


def as_it_is(_: SqliteLog) -> None:
    """The log as it is delivered."""


def with_synchronous_normal(log: SqliteLog) -> None:
    """A planted fault: commits that are not synced."""
    log._writer._connection.execute("PRAGMA synchronous = NORMAL")


def acknowledging_before_commit(log: SqliteLog) -> None:
    """A planted fault: a transaction is committed only when the next one begins."""
    writer = log._writer

    def transaction(proposals: Sequence[Proposal]) -> Sequence[Outcome]:
        if writer._connection.in_transaction:
            writer._connection.execute("COMMIT")
        writer._connection.execute("BEGIN IMMEDIATE")
        return SqliteWriter._store(writer, proposals)

    writer._transaction = transaction  # type: ignore[method-assign]  # a planted fault


def recorded_steps(folder: Path, plant: Planted) -> list[Step]:
    """Every step of the disk in a trial, with a mark wherever an append returned."""
    steps: list[Step] = []
    with watched_disk("recording", steps.append) as disk:
        log = open_log(folder, disk.name)
        log._writer._connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        plant(log)
        for events in workload(APPENDS):
            outcomes = append(log, events)
            steps.append(Step("mark", mark=[told(outcome) for outcome in outcomes]))
        if log._writer._connection.in_transaction:
            log._writer._connection.execute("ROLLBACK")
        log.close()
    return steps


def acknowledged(steps: Sequence[Step]) -> dict[str, int]:
    """What had been acknowledged by then."""
    told_by_then: dict[str, int] = {}
    for step in steps:
        if isinstance(step.mark, list):
            told_by_then.update(step.mark)
    return told_by_then


def losses(folder: Path, steps: Sequence[Step], keep: Keep) -> set[str]:
    """What a power cut behind these steps takes of what was acknowledged."""
    folder.mkdir()
    for name, content in after_power_cut(steps, keep).items():
        (folder / name).write_bytes(content)
    return lost(acknowledged(steps), folder)


def cuts(steps: Sequence[Step]) -> Iterator[int]:
    """Every place for a cut: behind each step since the log was made."""
    first = next(at for at, step in enumerate(steps) if step.kind == "mark")
    return iter(range(first + 1, len(steps) + 1))


def keeps(seeds: int) -> Iterator[tuple[str, Keep]]:
    """Disks that had written nothing, everything, or some of what was not synced."""
    yield "nothing", keep_nothing
    yield "everything", keep_everything
    for seed in range(seeds):
        yield f"some-{seed}", keep_some(random.Random(seed))


@pytest.mark.timeout(900)
def test_a_power_cut_at_any_step_loses_nothing_acknowledged(
    tmp_path: Path, long_run: bool, count: Callable[..., None]
) -> None:
    """Wherever the power fails, and whatever of the unsynced reached the disk, every acknowledged event is
    there, with its time, in a sound file without holes.
    """
    steps = recorded_steps(tmp_path, as_it_is)
    assert sum(step.kind == "sync" for step in steps) > APPENDS
    assert any(step.file.endswith("sqlite") for step in steps if step.kind == "write"), "never checkpointed"
    trials = 0
    for name, keep in keeps(SEEDS_LONG if long_run else SEEDS_SHORT):
        for cut in cuts(steps):
            assert losses(tmp_path / f"{name}-{cut}", steps[:cut], keep) == set(), (name, cut)
            trials += 1
    count("power cuts", trials=trials)


@pytest.mark.parametrize("plant", [with_synchronous_normal, acknowledging_before_commit])
def test_the_same_trial_catches_a_log_that_acknowledges_too_early(tmp_path: Path, plant: Planted) -> None:
    """Under the same cuts, a log that does not sync its commits, or acknowledges before them, loses events:
    so the trial would have seen it.
    """
    steps = recorded_steps(tmp_path, plant)
    caught = [cut for cut in cuts(steps) if losses(tmp_path / f"cut-{cut}", steps[:cut], keep_nothing)]
    assert caught


def test_the_disk_forgets_what_was_not_synced() -> None:
    """The simulated disk keeps synced writes through a cut, and loses unsynced ones when told to."""
    steps = [
        Step("write", "f", 0, b"kept"),
        Step("sync", "f"),
        Step("write", "f", 2, b"LOST"),
        Step("write", "g", 3, b"lost"),
    ]
    assert after_power_cut(steps, keep_nothing) == {"f": b"kept"}
    assert after_power_cut(steps, keep_everything) == {"f": b"keLOST", "g": b"\0\0\0lost"}
