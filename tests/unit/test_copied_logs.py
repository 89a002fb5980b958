"""A state beside a log that is not the one it was folded from: copies that went on apart are told apart."""

import pytest

from events.streams import PositionUnavailable
from projections.digest import state_digest
from projections.memory_store import MemoryStore
from projections.projector import Projector
from projections.reader import Enquiry, ReadModel
from projections.replay import rebuild
from tests.simulation.logs import RawLog, log_of
from tests.unit.people import amended, day, opted_out, told

OTHER_GENERATION = "22222222-2222-4222-8222-222222222222"


def store_of(log: RawLog) -> MemoryStore:
    """A store that has folded a log."""
    store = MemoryStore()
    Projector(log, store).catch_up()
    return store


def refusal(log: RawLog, store: MemoryStore) -> str:
    """What a projector says that refuses to go on with this state beside this log."""
    with pytest.raises(PositionUnavailable) as caught:
        Projector(log, store).step()
    return str(caught.value)


def test_a_copy_that_went_on_apart_is_refused() -> None:
    """Copies of one ledger have one generation, and may have one length: the last event tells them apart."""
    shared = [amended(day(1)), told(day(1))]
    here, there = log_of([*shared, told(day(2))]), log_of([*shared, opted_out(day(2))])
    assert "other events" in refusal(there, store_of(here))


def test_an_older_copy_is_refused() -> None:
    """Where an older copy of the log stands in the place of the newer one, the state reaches beyond it."""
    shared = [amended(day(1)), told(day(1))]
    assert "beyond the log's end" in refusal(log_of(shared), store_of(log_of([*shared, opted_out(day(2))])))


def test_another_generation_is_refused() -> None:
    """A state of a ledger that was begun anew is refused, though every event is the same."""
    shared = [amended(day(1)), told(day(1))]
    assert "another ledger" in refusal(log_of(shared, 1, OTHER_GENERATION), store_of(log_of(shared)))


def test_a_copy_that_went_on_alone_is_gone_on_with() -> None:
    """A newer copy of the same log is the log: what it has more is folded."""
    shared = [amended(day(1)), told(day(1))]
    store, longer = store_of(log_of(shared)), log_of([*shared, opted_out(day(2))])
    assert Projector(longer, store).step() == 1
    assert state_digest(store) == state_digest(store_of(longer))


def test_a_replay_needs_nobody_who_watches() -> None:
    """A replay without anybody to tell gives the state that folding gave."""
    log, store = log_of([amended(day(1)), told(day(1)), opted_out(day(2))]), MemoryStore()
    assert rebuild(log, store) == log.end()
    assert state_digest(store) == state_digest(store_of(log))


def test_two_questions_about_one_past_are_answered_from_one_history() -> None:
    """Questions about the same past of the same person, asked together, have the answers they have alone."""
    log = log_of([amended(day(1)), told(day(1)), opted_out(day(5))])
    model = ReadModel(store_of(log), log.slice_of, lambda: day(9))
    past = Enquiry(tenant="acme", individual="ana", purpose="website.email", at=day(3), known_at=day(3))
    together = [answer.decision for answer in model.answer_many([past, past])]
    assert together == [model.answer(past).decision] * 2
    assert together[0].reason == "not_opted_out"
