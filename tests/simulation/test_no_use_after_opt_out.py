"""`architecture.md`, promise 4: no permit for a use whose withdrawal was acknowledged."""

import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from choice_ledger.http.opening import open_service
from choice_ledger.http.service import Service
from choice_ledger.settings import Settings
from consumers.following import Following
from consumers.pursuits import Moved
from events.catalogue import Catalogue
from events.streams import Position
from projections.facts_at_hand import FactsAtHand
from tests.simulation.opt_out_trial import ROOT, Crowd, beside, desk_of, prepare, run_beside

ROUNDS = 60
ROUNDS_BESIDE = 60
LONG_FACTOR = 10
BUG_ROUNDS = 25
PEOPLE = ["ana", "bo", "cy"]
SEED = 4
LATE_S = 0.01

pytestmark = pytest.mark.timeout(300)


@contextmanager
def service_on(home: Path, **settings: object) -> Iterator[Service]:
    """A service on a home, without a server."""
    chosen = Settings(home=str(home), **settings)  # type: ignore[arg-type]  # as the test names them
    with open_service(chosen, stopping=lambda: False) as service:
        yield service


@contextmanager
def working_on(home: Path) -> Iterator[None]:
    """`choice-ledger work` on that home, in a process of its own."""
    command = [sys.executable, "-m", "choice_ledger", "--home", str(home), "work"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "the state is up" in process.stderr.readline()
            yield
        finally:
            process.terminate()
            process.wait(30)


def test_nobody_is_used_after_an_opt_out(tmp_path: Path, long_run: bool, count: Callable[..., None]) -> None:
    """Every answer after an acknowledgement knows of it, with its position or without, whoever else asks."""
    with service_on(tmp_path) as service, desk_of(service) as ask:
        trial = Crowd(service.ledger, ask, SEED).run(ROUNDS * (LONG_FACTOR if long_run else 1))
    count("opt-outs", acknowledged=trial.acknowledged, asked=trial.asked, stale=trial.stale)
    assert trial.findings == []
    assert trial.stale == 0


def test_nobody_is_used_after_an_opt_out_that_another_process_recorded(
    tmp_path: Path, long_run: bool, count: Callable[..., None]
) -> None:
    """With the position that another process was told, a service that folds beside it knows of the choice."""
    with service_on(tmp_path) as service, desk_of(service) as ask:
        prepare(service.ledger, PEOPLE)
        rounds = ROUNDS_BESIDE * (LONG_FACTOR if long_run else 1)
        trial = run_beside(ask, beside(tmp_path), PEOPLE, rounds)
    count("opt-outs beside", acknowledged=trial.acknowledged, stale=trial.stale)
    assert trial.findings == []
    assert trial.stale == 0


def test_nobody_is_used_after_an_opt_out_that_another_process_folds(
    tmp_path: Path, long_run: bool, count: Callable[..., None]
) -> None:
    """A service that folds nothing itself keeps the promise too, while a `work` process folds."""
    factor = LONG_FACTOR if long_run else 1
    with (
        working_on(tmp_path),
        service_on(tmp_path, serve_work=False) as service,
        desk_of(service) as ask,
    ):
        crowd = Crowd(service.ledger, ask, SEED, writers=2).run(ROUNDS_BESIDE // 2 * factor)
        other = run_beside(ask, beside(tmp_path), ["person-0-0", "person-1-1"], ROUNDS_BESIDE // 2 * factor)
    count("opt-outs watched", acknowledged=crowd.acknowledged + other.acknowledged, asked=crowd.asked)
    assert crowd.findings + other.findings == []
    assert crowd.stale + other.stale == 0


def _forgets_nothing(
    self: FactsAtHand, position: Position, catalogue: Catalogue, keys: Collection[str] | None
) -> None:
    """The planted bug: facts stay at hand though they have changed."""
    real_moved(self, position, catalogue, () if keys is not None else None)


real_moved = FactsAtHand.moved
real_take = Following._take


def _tells_first(self: Following, moved: Moved) -> None:
    """The planted bug: who waits is told before the facts at hand are, where those are of one person."""
    keep = self._on_moved
    assert keep is not None
    if not moved.keys:
        real_take(self, moved)
        return
    self._on_moved = None
    real_take(self, moved)
    threading.Event().wait(LATE_S)
    keep(moved.position, moved.catalogue, moved.keys)
    self._on_moved = keep
    threading.Event().wait(LATE_S)  # For others to have read the facts again before the next change.


def test_facts_that_are_not_forgotten_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug, facts that stay at hand though they have changed, makes findings."""
    monkeypatch.setattr(FactsAtHand, "moved", _forgets_nothing)
    with service_on(tmp_path) as service, desk_of(service) as ask:
        findings = Crowd(service.ledger, ask, SEED, writers=2).run(BUG_ROUNDS).findings
    assert any(finding.acknowledged == "opt_out" and finding.answered.permitted for finding in findings)


def test_facts_that_are_forgotten_late_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug, a receipt told before the facts are forgotten, makes findings."""
    monkeypatch.setattr(Following, "_take", _tells_first)
    with service_on(tmp_path) as service, desk_of(service) as ask:
        findings = Crowd(service.ledger, ask, SEED, writers=2).run(BUG_ROUNDS).findings
    assert any(finding.acknowledged == "opt_out" and finding.answered.permitted for finding in findings)


def test_what_others_folded_and_nobody_looked_at_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug, a jump of the state after which nothing is forgotten, makes findings."""
    monkeypatch.setattr("consumers.pursuits.keys_between", lambda *_: frozenset())
    with service_on(tmp_path) as service, desk_of(service) as ask:
        prepare(service.ledger, PEOPLE)
        findings = run_beside(ask, beside(tmp_path), PEOPLE, BUG_ROUNDS).findings
    assert any(finding.acknowledged == "opt_out" and finding.answered.permitted for finding in findings)
