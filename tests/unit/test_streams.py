"""Streams, and positions in them: opaque texts that are exact where a clock is not."""

import base64
import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.individual_events import IndividualErased
from events.policy_events import SafeguardWaived
from events.streams import (
    INDIVIDUALS,
    POLICIES,
    POSITION_TEXT_MAX,
    InvalidPosition,
    LogRecord,
    Position,
    Slice,
    stream_of,
)
from events.union import EVENT_TYPES, POLICY_EVENT_TYPES
from tests.strategies import uuid_of

GENERATION = uuid_of(1)
OTHER_GENERATION = uuid_of(2)
PARTITIONS_OF_A_LARGE_TOPIC = 1_000

slices = st.builds(Slice, st.sampled_from((INDIVIDUALS, POLICIES)), st.integers(0, 5))
positions = st.dictionaries(slices, st.integers(0, 9)).map(
    lambda offsets: Position.of(GENERATION, offsets.items())
)


def test_every_event_type_has_one_stream() -> None:
    """An event type belongs to exactly one stream, and its instances are told apart by it."""
    assert set(POLICY_EVENT_TYPES) < set(EVENT_TYPES.values())
    erased = IndividualErased(event_id=uuid_of(1), tenant="acme", individual="ana", occurred_at=0)
    waived = SafeguardWaived(event_id=uuid_of(1), tenant="acme", occurred_at=0, what="x", why="a drill")
    assert (stream_of(erased), stream_of(waived)) == (INDIVIDUALS, POLICIES)


def test_a_record_is_named_by_its_place() -> None:
    """An operator names a record as stream, partition and offset."""
    assert LogRecord(Slice(INDIVIDUALS, 3), 17, b"k", b"v").place == "individuals/3/17"


@given(position=positions)
def test_a_position_survives_its_text(position: Position) -> None:
    """The text of a position reads back as the same position, and can stand in an address unescaped."""
    text = position.encode()
    assert Position.decode(text) == position
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(
    text=st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
def test_any_other_text_is_refused_as_a_value_error(text: str) -> None:
    """Whatever text is given for a position, it is one or it is refused: nothing else is raised."""
    with contextlib.suppress(InvalidPosition):
        assert isinstance(Position.decode(text), Position)


def test_a_position_of_another_shape_is_refused() -> None:
    """A text that decodes, but to something that is no position, is refused."""
    shapes: tuple[object, ...] = ({"generation": 1}, {"generation": "", "offsets": [["elsewhere", 0, 1]]}, [])
    for wrong in shapes:
        text = base64.urlsafe_b64encode(msgspec.msgpack.encode(wrong)).rstrip(b"=").decode()
        with pytest.raises(InvalidPosition):
            Position.decode(text)


def test_a_thousand_partitions_fit_into_a_position() -> None:
    """The longest text has room for a thousand partitions far into a topic; a longer one is refused."""
    offsets = [(Slice(INDIVIDUALS, number), 2**40) for number in range(PARTITIONS_OF_A_LARGE_TOPIC)]
    text = Position.of(GENERATION, offsets).encode()
    assert len(text) <= POSITION_TEXT_MAX
    assert Position.decode(text).as_dict() == dict(offsets)
    with pytest.raises(InvalidPosition, match=str(POSITION_TEXT_MAX)):
        Position.decode("A" * (POSITION_TEXT_MAX + 1))


def test_a_text_at_the_limit_is_read() -> None:
    """A text of exactly the greatest length is not refused for its length."""
    with pytest.raises(InvalidPosition) as caught:
        Position.decode("A" * POSITION_TEXT_MAX)
    assert str(POSITION_TEXT_MAX) not in str(caught.value)


def test_the_order_in_which_slices_are_named_does_not_matter() -> None:
    """A position sorts what it is made of, so that equal positions have equal texts."""
    one, two = (Slice(POLICIES, 0), 4), (Slice(INDIVIDUALS, 2), 7)
    assert Position.of(GENERATION, [one, two]).encode() == Position.of(GENERATION, [two, one]).encode()


@given(one=positions, two=positions)
def test_the_joined_position_is_the_least_that_covers_both(one: Position, two: Position) -> None:
    """It covers both, and each of its offsets stands in one of them."""
    joined = one.joined(two)
    assert joined.covers(one)
    assert joined.covers(two)
    assert set(joined.offsets) <= {*one.offsets, *two.offsets}
    assert joined == two.joined(one)


@given(one=positions, two=positions)
def test_two_that_cover_each_other_include_the_same(one: Position, two: Position) -> None:
    """Covering each other means the same offsets, a slice not named counting as nothing read of it."""
    if one.covers(two) and two.covers(one):
        assert {s: o for s, o in one.as_dict().items() if o} == {s: o for s, o in two.as_dict().items() if o}


def test_nothing_is_covered_across_generations() -> None:
    """A position of a restored ledger covers none of the old one, and the two cannot be joined."""
    here, there = Position(GENERATION), Position(OTHER_GENERATION)
    assert here.covers(Position(GENERATION))
    assert not here.covers(there)
    with pytest.raises(InvalidPosition, match="generation"):
        here.joined(there)
