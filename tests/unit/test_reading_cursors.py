"""Cursors and negotiation: what a list takes back, and what a caller asked for."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choice_ledger.http.cursors import CURSOR_LENGTH_MAX, InvalidCursor, opened, sealed
from choice_ledger.http.negotiation import RANGES_MAX, language, looked_up, media_type


class Place(NamedTuple):
    """A place in a list."""

    number: int
    name: str


ASKED = ["history", "generation", "acme", "ana", None, 5]
JSON, LINES = "application/json", "application/x-ndjson"


@given(st.integers(-(2**62), 2**62), st.text(max_size=200))
def test_a_cursor_comes_back_as_it_was(number: int, name: str) -> None:
    """Whatever the place, the list that sealed it opens it again."""
    place = Place(number, name)
    assert opened(sealed(place, ASKED), ASKED, Place) == place


@given(st.integers(0, 500), st.integers(1, 255))
def test_a_cursor_that_was_changed_anywhere_is_refused(where: int, by: int) -> None:
    """No character can be another one."""
    text = sealed(Place(7, "event"), ASKED)
    at = where % len(text)
    other = chr((ord(text[at]) + by) % 256)
    if other != text[at]:
        with pytest.raises(InvalidCursor):
            opened(text[:at] + other + text[at + 1 :], ASKED, Place)


@pytest.mark.parametrize("part", range(len(ASKED)))
def test_a_cursor_of_another_list_is_refused(part: int) -> None:
    """Each part of what was asked binds the cursor."""
    text = sealed(Place(7, "event"), ASKED)
    with pytest.raises(InvalidCursor):
        opened(text, [*ASKED[:part], "other", *ASKED[part + 1 :]], Place)


def test_parts_are_never_run_together() -> None:
    """Two lists whose parts spell the same when joined are two lists."""
    text = sealed(Place(1, "a"), ["ab", "c"])
    with pytest.raises(InvalidCursor):
        opened(text, ["a", "bc"], Place)


@pytest.mark.parametrize(
    "text", ["", "!", "é", "A", "AAAA", "A" * CURSOR_LENGTH_MAX, "A" * (CURSOR_LENGTH_MAX + 1)]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    """Text of any other kind is refused, and nothing is raised but that."""
    with pytest.raises(InvalidCursor, match="must be a cursor"):
        opened(text, ASKED, Place)


def test_a_place_of_another_kind_is_refused() -> None:
    """A cursor that is whole, but holds no place of this list's kind, is refused."""
    with pytest.raises(InvalidCursor):
        opened(sealed("somewhere", ASKED), ASKED, Place)


def test_a_cursor_has_a_greatest_length() -> None:
    """One at the limit is opened; one past it is refused unread."""
    fitting = next(
        text
        for size in range(CURSOR_LENGTH_MAX, 0, -1)
        if len(text := sealed(Place(1, "x" * size), ASKED)) <= CURSOR_LENGTH_MAX
    )
    assert len(fitting) > CURSOR_LENGTH_MAX - 4
    assert opened(fitting, ASKED, Place).number == 1
    with pytest.raises(InvalidCursor):
        opened(sealed(Place(1, "x" * CURSOR_LENGTH_MAX), ASKED), ASKED, Place)


@pytest.mark.parametrize(
    ("accept", "found"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        (LINES, LINES),
        ("APPLICATION/X-NDJSON", LINES),
        (f"{LINES};q=0.5, {JSON};q=0.4", LINES),
        (f"{JSON};q=0, */*", LINES),
        (f"{JSON};q=0, {LINES};q=0", None),
        ("application/*;q=0.2, text/html", JSON),
        ("text/html", None),
        (f"{LINES};q=2", None),
        (f"{LINES};q=x, {JSON};q=0.1", JSON),
        (f"{LINES};charset=utf-8;q=0.9", LINES),
        (",,;,", None),
        ("text/html," * (RANGES_MAX - 1) + LINES, LINES),
        ("text/html," * RANGES_MAX + LINES, None),
    ],
)
def test_the_preferred_type_is_found(accept: str | None, found: str | None) -> None:
    """The weights decide, the more specific range first; only so many ranges are read."""
    assert media_type(accept, (JSON, LINES)) == found


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, None),
        ("de", "de"),
        ("de-CH-1996", "de"),
        ("fr;q=0.3, de;q=0.9", "de"),
        ("fr, de", "fr"),
        ("de;q=0", None),
        ("*", None),
        ("deu", None),
    ],
)
def test_the_preferred_language_is_found(header: str | None, found: str | None) -> None:
    """The weights decide, the first of equals; a longer tag finds its language."""
    assert language(header, ("en", "de", "fr")) == found


def test_a_tag_is_looked_up_by_its_parts() -> None:
    """The last parts are dropped until something is found; nothing is found for a stranger."""
    assert looked_up("FR-ca", ("fr",)) == "fr"
    assert looked_up("", ("fr",)) is None
    assert looked_up("-", ("fr",)) is None


@given(st.text(max_size=100), st.text(max_size=100))
def test_whatever_a_header_holds_is_no_fault(accept: str, languages: str) -> None:
    """What is malformed is passed over."""
    assert media_type(accept, (JSON, LINES)) in {JSON, LINES, None}
    assert language(languages, ("en", "de")) in {"en", "de", None}
