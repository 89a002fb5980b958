"""Lists in nullable fields reach the bytes as lists, whatever their items are called."""

import pytest

from events.codec import decode, encode
from events.union import Recorded
from tests.contract.sample_events import described


@pytest.mark.parametrize("populations", [(), ("employee",), ("null", "x"), ("array", "y"), ("a", "b")])
def test_a_nullable_list_survives_its_bytes(populations: tuple[str, ...]) -> None:
    """A list in a nullable field is read back as it was, even one of two items that names an Avro type."""
    recorded = Recorded(described(1_000, populations), 1_000)
    assert decode(encode(recorded)) == recorded
