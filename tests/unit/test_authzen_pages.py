"""Pages of AuthZEN's searches and their tokens."""

from typing import Any

import pytest

from choice_ledger.http.authzen_entities import Action, Entity, Faults, Request
from choice_ledger.http.authzen_pages import (
    RESULTS_MAX,
    PageAsked,
    Place,
    page_of,
    place_of,
    search_of,
    token_of,
)
from choice_ledger.http.cursors import CURSOR_LENGTH_MAX
from events.streams import Position, Slice

REQUEST = Request(Entity("recipient", "adco"), Action("mail"), Entity("individual", "", {"a": 1}), {"b": 2})
SEARCH = search_of("main", "resource", REQUEST, PageAsked())
POSITION = Position.of("11111111-1111-4111-8111-111111111111", [(Slice("individuals", 0), 7)])


def asked(page: Any) -> tuple[PageAsked, list[str]]:
    """The page that a request asks for, and the fields at fault."""
    faults: Faults = []
    return page_of({"page": page}, faults), [fault.field for fault in faults]


def opened(page: PageAsked, search: tuple[object, ...] = SEARCH) -> tuple[Place, list[str]]:
    """Where a page begins, and the fields at fault."""
    faults: Faults = []
    return place_of(page, search, faults), [fault.field for fault in faults]


def test_no_page_is_the_first() -> None:
    """A request without a page asks for the first one, with as many results as there may be."""
    faults: Faults = []
    page = page_of({}, faults)
    assert (page, faults) == (PageAsked(), [])
    assert opened(page) == (Place(), [])
    assert Place().results_max == RESULTS_MAX


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ({"limit": 0}, PageAsked(limit=0)),
        ({"limit": 7.0}, PageAsked(limit=7)),
        ({"token": "x", "limit": 3}, PageAsked(token="x", limit=3)),
        ({"properties": {"sort": "id"}}, PageAsked(properties={"sort": "id"})),
        ({"more": True}, PageAsked()),
    ],
)
def test_a_page_is_read(page: dict[str, Any], expected: PageAsked) -> None:
    """Token, limit and properties are read; what is not known is ignored."""
    assert asked(page) == (expected, [])


@pytest.mark.parametrize(
    ("page", "fields"),
    [
        (None, ["page"]),
        ([], ["page"]),
        ({"token": 1}, ["page.token"]),
        ({"token": None}, ["page.token"]),
        ({"token": ""}, ["page.token"]),
        ({"limit": -1}, ["page.limit"]),
        ({"limit": 1.5}, ["page.limit"]),
        ({"limit": None}, ["page.limit"]),
        ({"limit": True}, ["page.limit"]),
        ({"properties": 1}, ["page.properties"]),
        ({"token": 1, "limit": "x", "properties": []}, ["page.token", "page.limit", "page.properties"]),
    ],
)
def test_a_page_that_is_wrong(page: Any, fields: list[str]) -> None:
    """Each member that is wrong is told; an empty token is the end, from which nothing goes on."""
    assert asked(page)[1] == fields


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(None, RESULTS_MAX), (0, 0), (RESULTS_MAX, RESULTS_MAX), (RESULTS_MAX + 1, RESULTS_MAX)],
)
def test_a_limit_past_the_limit(limit: int | None, expected: int) -> None:
    """A page never holds more results than may be, whatever is asked for."""
    assert Place(limit=limit).results_max == expected


@pytest.mark.parametrize("limit", [None, 0, 5])
def test_a_token_goes_on_where_it_ended(limit: int | None) -> None:
    """The place of a token is the one that it was made from, asked with or without the same limit."""
    place = Place(after="ana", limit=limit, position=POSITION.encode())
    token = token_of(place, SEARCH)
    assert opened(PageAsked(token=token, limit=limit)) == (place, [])
    assert opened(PageAsked(token=token)) == (place, [])
    assert place.reached == POSITION


def test_another_limit_is_refused() -> None:
    """A limit that differs from the one that the search began with is refused."""
    token = token_of(Place(after="ana", limit=5), SEARCH)
    assert opened(PageAsked(token=token, limit=6))[1] == ["page.limit"]
    none = token_of(Place(after="ana"), SEARCH)
    assert opened(PageAsked(token=none, limit=5))[1] == ["page.limit"]


@pytest.mark.parametrize(
    "search",
    [
        search_of("other", "resource", REQUEST, PageAsked()),
        search_of("main", "subject", REQUEST, PageAsked()),
        search_of("main", "resource", REQUEST, PageAsked(properties={"sort": "id"})),
        search_of("main", "resource", REQUEST._replace(context={"b": 3}), PageAsked()),
        search_of("main", "resource", REQUEST._replace(context={}), PageAsked()),
        search_of("main", "resource", REQUEST._replace(action=Action("mail", {"x": 1})), PageAsked()),
        search_of("main", "resource", REQUEST._replace(subject=Entity("service", "adco")), PageAsked()),
        search_of("main", "resource", REQUEST._replace(resource=Entity("individual", "")), PageAsked()),
    ],
)
def test_a_token_of_another_search(search: tuple[object, ...]) -> None:
    """A token is good for the very search that it came from, and for no other tenant's."""
    token = token_of(Place(after="ana"), SEARCH)
    assert opened(PageAsked(token=token), search)[1] == ["page.token"]


def test_the_order_of_members_is_no_other_search() -> None:
    """A request whose members come in another order is the same search."""
    turned = REQUEST._replace(context={"y": 1, "b": {"p": 1, "q": 2}})
    again = REQUEST._replace(context={"b": {"q": 2, "p": 1}, "y": 1})
    assert search_of("t", "resource", turned, PageAsked()) == search_of("t", "resource", again, PageAsked())


@pytest.mark.parametrize("token", ["x", "é", "AAAA", "x" * (CURSOR_LENGTH_MAX + 1)])
def test_what_is_no_token(token: str) -> None:
    """A text that is no token is refused, and so is one that was changed."""
    assert opened(PageAsked(token=token))[1] == ["page.token"]
    good = token_of(Place(after="ana"), SEARCH)
    for changed in (good[:-1], good + "A", good[:5] + ("A" if good[5] != "A" else "B") + good[6:]):
        assert opened(PageAsked(token=changed))[1] == ["page.token"]


def test_a_position_that_is_too_long_is_not_noted() -> None:
    """A token stays within its limit, though a position of a thousand partitions does not."""
    slices = [(Slice("individuals", number), 10**9 + number) for number in range(1_000)]
    position = Position.of("11111111-1111-4111-8111-111111111111", slices).encode()
    token = token_of(Place(after="ana", position=position), SEARCH)
    assert len(token) <= CURSOR_LENGTH_MAX
    assert opened(PageAsked(token=token)) == (Place(after="ana"), [])
    assert Place().reached is None
    assert Place(position="no position").reached is None
