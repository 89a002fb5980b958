"""The header ``Idempotency-Key``: how it is read, and what follows from it."""

import uuid

import pytest

from choice_ledger.http.idempotency import KEY_LENGTH_MAX, event_id_of, fingerprint_of, key_of
from choice_ledger.http.problems import Problem


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ('"8e03978e-40d5-43e8-bc93-6894a57f9324"', "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        ("8e03978e-40d5-43e8-bc93-6894a57f9324", "8e03978e-40d5-43e8-bc93-6894a57f9324"),
        ('  "two words"  ', "two words"),
        (r'"a \"quoted\" \\ part"', 'a "quoted" \\ part'),
        ("order/42", "order/42"),
    ],
)
def test_a_key_is_read_with_quotes_or_without(header: str, key: str) -> None:
    """A string of RFC 9651 is meant, and what many clients send instead is taken for the same."""
    assert key_of(header) == key


@pytest.mark.parametrize(
    "header",
    ["", '""', '"', '"open', 'a"b', "two words", '"a", "b"', "a,b", "a;q=1", '"\\a"', "schlüssel", '"\x07"'],
)
def test_anything_else_is_refused(header: str) -> None:
    """No key is guessed: lists, parameters, open quotes, unknown escapes and other characters are refused."""
    with pytest.raises(Problem) as refused:
        key_of(header)
    assert refused.value.kind == "invalid_header"
    assert [fault.field for fault in refused.value.errors] == ["Idempotency-Key"]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_key_has_a_length(quote: str) -> None:
    """A key of `KEY_LENGTH_MAX` characters is read, and one more is refused."""
    assert len(key_of(quote + "k" * KEY_LENGTH_MAX + quote)) == KEY_LENGTH_MAX
    with pytest.raises(Problem) as refused:
        key_of(quote + "k" * (KEY_LENGTH_MAX + 1) + quote)
    assert str(KEY_LENGTH_MAX) in refused.value.errors[0].message


def test_an_event_id_follows_from_tenant_and_key() -> None:
    """The same tenant and key give the same UUIDv5 in every release; another of either gives another."""
    found = event_id_of("main", "k-1")
    assert uuid.UUID(found).version == 5
    assert found == "954dc64d-45e7-5741-956e-62e02e5bfdd6"
    assert len({found, event_id_of("other", "k-1"), event_id_of("main", "k-2")}) == 3


def test_a_fingerprint_tells_calls_apart() -> None:
    """Method, address and body each change it; and so does the key, without which nobody can try contents."""
    first = fingerprint_of("k", "POST", "/v1/choices?", b"{}")
    others = {
        fingerprint_of("k", "PUT", "/v1/choices?", b"{}"),
        fingerprint_of("k", "POST", "/v1/notices?", b"{}"),
        fingerprint_of("k", "POST", "/v1/choices?", b"{ }"),
        fingerprint_of("l", "POST", "/v1/choices?", b"{}"),
    }
    assert len(first) == 32
    assert len(others | {first}) == 5


def test_a_fingerprint_cannot_be_made_by_moving_the_borders() -> None:
    """What ends one part cannot begin the next: the parts are divided by a byte that none but a body has."""
    assert fingerprint_of("k", "POST", "/a", b"b") != fingerprint_of("k", "POST", "/ab", b"")
