"""What a token looks like, and what is refused before anything is looked up."""

import hashlib
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choice_ledger.token_text import (
    SECRET_ALPHABET,
    SECRET_LENGTH,
    TOKEN_PREFIX,
    checksum,
    digest_of,
    is_whole,
    token_text,
)

SECRETS = st.text(alphabet=SECRET_ALPHABET, min_size=SECRET_LENGTH, max_size=SECRET_LENGTH)
# Made once, and kept: what was handed out to people must be read for ever.
FIXED = "clt_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg37cCQ0"


def test_a_secret_holds_256_bits() -> None:
    """The secret part has at least 256 bits, and one sign less would not."""
    assert math.log2(len(SECRET_ALPHABET)) * SECRET_LENGTH >= 256
    assert math.log2(len(SECRET_ALPHABET)) * (SECRET_LENGTH - 1) < 256
    assert len(set(SECRET_ALPHABET)) == 62


@given(SECRETS)
def test_a_token_is_whole(secret: str) -> None:
    """Whatever the secret, its token is whole, begins with the prefix, and is letters and digits."""
    token = token_text(secret)
    assert is_whole(token)
    assert re.fullmatch(TOKEN_PREFIX + "[0-9A-Za-z]{49}", token)


@given(SECRETS, st.integers(0, 52), st.sampled_from(SECRET_ALPHABET))
def test_a_token_with_one_sign_mistyped_is_not_whole(secret: str, place: int, sign: str) -> None:
    """One wrong sign anywhere is noticed: a CRC-32 finds every burst of up to 32 bits."""
    token = token_text(secret)
    mistyped = token[:place] + sign + token[place + 1 :]
    assert is_whole(mistyped) == (mistyped == token)


@given(SECRETS, st.integers(0, 41))
def test_neighbours_that_changed_places_are_noticed(secret: str, place: int) -> None:
    """Two signs in the wrong order, as people type them, are noticed."""
    swapped = secret[:place] + secret[place + 1] + secret[place] + secret[place + 2 :]
    assert is_whole(TOKEN_PREFIX + swapped + checksum(secret)) == (swapped == secret)


@given(SECRETS, st.integers(0, 52))
def test_a_cut_token_is_not_whole(secret: str, length: int) -> None:
    """However a token is cut, and whatever is added to it, it is not whole."""
    token = token_text(secret)
    assert not is_whole(token[:length])
    assert not is_whole(token + "0")
    assert not is_whole(token[: -1 - length % 52] + token[-length % 52 or 52 :] + " ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "clt_",
        "x" * 53,
        "clt_" + "é" * 49,
        "clt_" + "\ud800" * 49,
        "CLT_" + FIXED[4:],
        FIXED + "\n",
        " " + FIXED[1:],
    ],
)
def test_what_is_no_token_is_not_whole(text: str) -> None:
    """Text of any kind is told from a token, without a fault."""
    assert not is_whole(text)


def test_tokens_handed_out_stay_whole() -> None:
    """The form is fixed: a token that was made when this was written is whole."""
    assert is_whole(token_text(FIXED[4:47]))
    assert token_text(FIXED[4:47]) == FIXED


def test_the_digest_is_that_of_the_whole_text() -> None:
    """What is kept is the plain SHA-256 of all that the caller sends."""
    assert digest_of(FIXED) == hashlib.sha256(FIXED.encode()).hexdigest()
