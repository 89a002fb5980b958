"""What becomes of a proposal by itself: a record to store, or a refusal with its reason."""

import msgspec
import pytest

from events.codec import decode
from events.instants import INSTANT_MAX, INSTANT_MIN
from events.streams import RECORD_BYTES_MAX
from events.union import Event
from ledger.admission import Admission, Admitted, admit, id_conflict
from ledger.log import Proposal, Rejected
from tests.contract.sample_events import amendment, choice, event_of_size

STAMP = 1_777_800_000_000_000


def reason(admission: Admission) -> tuple[str, str]:
    """Reason and field of a refusal, which it must be."""
    assert isinstance(admission, Rejected)
    return admission.reason, admission.field


def test_an_event_is_recorded_at_the_stamp() -> None:
    """A proposal without a time of its own is recorded at the stamp, under its own key."""
    event = choice(STAMP)
    admitted = admit(Proposal(event), STAMP)
    assert isinstance(admitted, Admitted)
    assert (admitted.key, admitted.recorded.recorded_at, admitted.stamped) == (b"acme/ana", STAMP, True)
    assert decode(admitted.value).event == event


def test_an_import_keeps_its_time() -> None:
    """A proposal with a time of its own keeps it, and the stamp remains unused."""
    admitted = admit(Proposal(choice(STAMP - 5), STAMP - 2), STAMP)
    assert isinstance(admitted, Admitted)
    assert (admitted.recorded.recorded_at, admitted.stamped) == (STAMP - 2, False)
    assert decode(admitted.value).recorded_at == STAMP - 2


def test_what_is_heard_now_is_dated_by_the_stamp() -> None:
    """An event that is heard now happens at the stamp, and so does the effect that it was to have at once."""
    admitted = admit(Proposal(amendment(STAMP - 9, STAMP - 9), heard_now=True), STAMP)
    assert isinstance(admitted, Admitted)
    assert decode(admitted.value).event == msgspec.structs.replace(
        decode(admitted.value).event, occurred_at=STAMP, effective_at=STAMP
    )


def test_an_event_may_happen_at_the_stamp_and_not_after() -> None:
    """At the stamp an event is admitted; one microsecond later it is ``occurred_after_recorded``."""
    assert isinstance(admit(Proposal(choice(STAMP)), STAMP), Admitted)
    assert reason(admit(Proposal(choice(STAMP + 1)), STAMP)) == ("occurred_after_recorded", "occurred_at")


def test_a_record_has_a_largest_size() -> None:
    """A value of ``RECORD_BYTES_MAX`` is admitted; one byte more is ``too_large``."""
    assert isinstance(admit(Proposal(event_of_size(STAMP, RECORD_BYTES_MAX)), STAMP), Admitted)
    assert reason(admit(Proposal(event_of_size(STAMP, RECORD_BYTES_MAX + 1)), STAMP)) == (
        "too_large",
        "event",
    )


@pytest.mark.parametrize("given", [INSTANT_MIN - 1, INSTANT_MAX + 1])
def test_an_import_without_an_instant_is_refused(given: int) -> None:
    """A time outside the years 1 to 9999 is ``invalid_time``."""
    assert reason(admit(Proposal(choice(STAMP), given), STAMP)) == ("invalid_time", "recorded_at")


@pytest.mark.parametrize("stamp", [INSTANT_MIN - 1, INSTANT_MAX + 1])
def test_a_clock_without_an_instant_is_refused(stamp: int) -> None:
    """A clock outside the years 1 to 9999 dates nothing: ``clock``."""
    assert reason(admit(Proposal(choice(STAMP)), stamp)) == ("clock", "recorded_at")


def test_an_event_that_could_not_be_read_back_is_refused() -> None:
    """An event with a value of a wrong type, which no check at its making saw, is ``invalid_event``."""
    event: Event = msgspec.structs.replace(choice(STAMP), medium="pigeon")
    assert reason(admit(Proposal(event), STAMP))[0] == "invalid_event"


def test_a_refusal_repeats_no_value() -> None:
    """No refusal holds the individual's id or another value of the event: messages reach logs."""
    event = choice(STAMP + 1, "a-very-special-person", "a.very.special.purpose")
    for refusal in (admit(Proposal(event), STAMP), id_conflict(event.event_id)):
        assert "special" not in str(refusal)
