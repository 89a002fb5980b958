"""What becomes of a proposal by itself: a record to store, or a refusal with its reason."""

import msgspec
import pytest

from events.codec import decode, encode
from events.envelope import INDIVIDUAL_BYTES_MAX
from events.individual_events import ChoiceMade, IndividualsLinked
from events.instants import INSTANT_MAX, INSTANT_MIN
from events.streams import RECORD_BYTES_MAX
from events.union import Event, Recorded
from ledger.admission import LINK_ROOM_BYTES, Admission, Admitted, admit, id_conflict
from ledger.links import derived_opt_outs
from ledger.log import Proposal, Rejected
from tests.contract.sample_events import amendment, choice, event_of_size, new_id

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


def opt_out_of_size(size_bytes: int) -> ChoiceMade:
    """An opt-out whose record has exactly that size."""
    event = msgspec.structs.replace(choice(STAMP), decision="opt_out", recipients=("r" * 100,) * 630)
    short = size_bytes - len(encode(Recorded(event, STAMP)))
    assert 0 < short < 28 * len(event.recipients or ())
    longer, rest = divmod(short, 27)
    recipients = ("r" * 127,) * longer + ("r" * (100 + rest),) + ("r" * 100,) * (629 - longer)
    event = msgspec.structs.replace(event, recipients=recipients)
    assert len(encode(Recorded(event, STAMP))) == size_bytes
    return event


@pytest.mark.parametrize("letters", [1, INDIVIDUAL_BYTES_MAX])
def test_the_largest_opt_out_can_be_written_for_whoever_is_linked(letters: int) -> None:
    """The largest opt-out that is admitted fits for the longest id too; one byte more is refused."""
    largest = opt_out_of_size(RECORD_BYTES_MAX - LINK_ROOM_BYTES)
    link = IndividualsLinked(
        event_id=new_id(), tenant="acme", individual="ana", occurred_at=STAMP, other="o" * letters
    )
    (derived,) = derived_opt_outs([Recorded(link, STAMP), Recorded(largest, STAMP)], largest)
    assert isinstance(admit(Proposal(largest), STAMP), Admitted)
    assert isinstance(admit(Proposal(derived), INSTANT_MAX), Admitted)
    over = opt_out_of_size(RECORD_BYTES_MAX - LINK_ROOM_BYTES + 1)
    assert reason(admit(Proposal(over), STAMP)) == ("too_large", "event")


def test_an_import_of_an_opt_out_takes_the_whole_record() -> None:
    """An import brings what was derived elsewhere itself, so an opt-out of ``RECORD_BYTES_MAX`` comes in."""
    event = opt_out_of_size(RECORD_BYTES_MAX)
    assert isinstance(admit(Proposal(event, STAMP), STAMP), Admitted)


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
