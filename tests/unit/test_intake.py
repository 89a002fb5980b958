"""Which records can be folded, and whom one that cannot be read denies."""

import msgspec
import pytest

from events.codec import encode
from events.individual_events import IndividualErased
from events.policy_events import SafeguardWaived
from events.streams import INDIVIDUALS, POLICIES, RECORD_BYTES_MAX, LogRecord, Slice
from events.union import Recorded
from projections.intake import KEY_MISMATCH, WRONG_STREAM, Accepted, judge, partition_subject
from projections.ports import QuarantineEntry, Resolution, settles

AT = 1_700_000_000_000_000
ERASED = IndividualErased(
    event_id="00000000-0000-4000-8000-000000000001", tenant="acme", individual="ana", occurred_at=AT
)
WAIVED = SafeguardWaived(
    event_id="00000000-0000-4000-8000-000000000002", tenant="acme", occurred_at=AT, what="w", why="y"
)
PEOPLE = Slice(INDIVIDUALS, 4)
RULES = Slice(POLICIES, 0)
GOOD, RULE = encode(Recorded(ERASED, AT)), encode(Recorded(WAIVED, AT))


def denied_by(slice_: Slice, key: bytes, value: bytes) -> list[tuple[str, str, str]]:
    """Reason, scope and subject of each entry that the record comes to."""
    judged = judge(LogRecord(slice_, 7, key, value))
    assert not isinstance(judged, Accepted)
    for entry in judged:
        assert (entry.slice, entry.offset, entry.value) == (slice_, 7, value)
        assert entry.place == f"{slice_.stream}/{slice_.partition}/7"
    return [(entry.reason, entry.scope, entry.subject) for entry in judged]


@pytest.mark.parametrize(
    ("slice_", "key", "value"), [(PEOPLE, b"acme/ana", GOOD), (RULES, b"acme", RULE)], ids=["person", "rule"]
)
def test_a_record_in_its_place_is_accepted(slice_: Slice, key: bytes, value: bytes) -> None:
    """A record that stands in its stream, under its event's key, is accepted with that key."""
    record = LogRecord(slice_, 7, key, value)
    judged = judge(record)
    assert isinstance(judged, Accepted)
    assert (judged.key, judged.record) == (key.decode(), record)
    assert encode(judged.recorded) == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not_single_object"),
        (b"\xc3\x01" + bytes(8) + GOOD[10:], "unknown_schema"),
        (GOOD[:-1], "not_canonical"),
        (GOOD + b"\x00", "not_canonical"),
        (GOOD + bytes(RECORD_BYTES_MAX), "too_large"),
    ],
    ids=["empty", "schema", "cut", "longer", "large"],
)
def test_unreadable_bytes_deny_whom_their_key_names(value: bytes, reason: str) -> None:
    """Bytes that are no event deny the individual of their key; the reason is the codec's."""
    assert denied_by(PEOPLE, b"acme/ana", value) == [(reason, "individual", "acme/ana")]


def test_unreadable_bytes_of_the_policies_deny_their_tenant() -> None:
    """On the policies' stream unreadable bytes deny the tenant of their key."""
    assert denied_by(RULES, b"acme", b"x") == [("not_single_object", "tenant", "acme")]


@pytest.mark.parametrize(
    "key",
    [b"", b"\xff/\xff", b"acme", b"acme/", b"/ana", b"Acme/ana", b"acme/a/b", b"acme/a@b", b"acme/a b"],
)
def test_without_a_readable_key_the_partition_is_denied(key: bytes) -> None:
    """On the individuals' stream a key that no event can have denies the whole partition."""
    assert denied_by(PEOPLE, key, b"x") == [("not_single_object", "partition", "individuals/4")]
    assert partition_subject(PEOPLE) == "individuals/4"


@pytest.mark.parametrize("key", [b"", b"\xff", b"acme/ana", b"Acme", b"a" * 64])
def test_without_a_readable_tenant_everybody_is_denied(key: bytes) -> None:
    """On the policies' stream a key that is no tenant denies the whole ledger."""
    assert denied_by(RULES, key, b"x") == [("not_single_object", "ledger", "")]


def test_another_key_denies_both() -> None:
    """An event under another individual's key denies both: which of them was meant nobody can tell."""
    assert denied_by(PEOPLE, b"acme/bo", GOOD) == [
        (KEY_MISMATCH, "individual", "acme/ana"),
        (KEY_MISMATCH, "individual", "acme/bo"),
    ]
    assert denied_by(RULES, b"globex", RULE) == [
        (KEY_MISMATCH, "tenant", "acme"),
        (KEY_MISMATCH, "tenant", "globex"),
    ]


def test_a_key_that_differs_in_its_bytes_alone_is_another() -> None:
    """Keys are compared as bytes: the decomposed form of a name is another individual."""
    composed = msgspec.structs.replace(ERASED, individual="\N{LATIN SMALL LETTER E WITH ACUTE}")
    decomposed = "acme/e\N{COMBINING ACUTE ACCENT}".encode()
    found = denied_by(PEOPLE, decomposed, encode(Recorded(composed, AT)))
    assert (KEY_MISMATCH, "individual", composed.key) in found
    assert len(found) == 2


def test_another_stream_denies_the_event_and_the_place() -> None:
    """An event in the other stream denies whom it is about and whom its place is about."""
    assert denied_by(RULES, b"acme/ana", GOOD) == [
        (WRONG_STREAM, "individual", "acme/ana"),
        (WRONG_STREAM, "ledger", ""),
    ]
    assert denied_by(RULES, b"globex", GOOD) == [
        (WRONG_STREAM, "individual", "acme/ana"),
        (WRONG_STREAM, "tenant", "globex"),
    ]
    assert denied_by(PEOPLE, b"acme", RULE) == [
        (WRONG_STREAM, "partition", "individuals/4"),
        (WRONG_STREAM, "tenant", "acme"),
    ]


def entry(scope: str, subject: str) -> QuarantineEntry:
    """An entry for that subject."""
    return msgspec.convert(
        ["individuals/4/7", ["individuals", 4], 7, scope, subject, "not_canonical", b""], QuarantineEntry
    )


@pytest.mark.parametrize(
    ("scope", "subject", "settlers"),
    [
        ("individual", "acme/ana", {"acme", "ledger"}),
        ("tenant", "acme", {"acme", "ledger"}),
        ("partition", "individuals/4", {"ledger"}),
        ("ledger", "", {"ledger"}),
    ],
)
def test_who_may_settle_what(scope: str, subject: str, settlers: set[str]) -> None:
    """A tenant settles what denies itself alone, the ledger's operator everything; another place, nobody."""
    found = entry(scope, subject)
    asked = ("acme", "globex", "individuals", "ledger")
    assert {by for by in asked if settles(Resolution("individuals/4/7", by), found)} == settlers
    assert not any(settles(Resolution("individuals/4/8", by), found) for by in asked)
