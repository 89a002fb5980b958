"""Pages of AuthZEN's searches: what a request asks for, and the token with which the next page is asked.

Source: OpenID Authorization API 1.0, section 8.2. A token goes on after the last name that was looked at, in
the search that it came from, and at a state at least as fresh.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from choice_ledger.http.authzen_entities import NOTHING, Faults, Request, bounded_object
from choice_ledger.http.authzen_questions import whole_number
from choice_ledger.http.cursors import CURSOR_LENGTH_MAX, InvalidCursor, opened, sealed
from choice_ledger.http.problems import Fault
from events.streams import InvalidPosition, Position

RESULTS_MAX: Final = 1_000
"""Results of one page, whatever limit is asked for; as many are meant where none is."""


class PageAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which page is asked for. ``limit`` is the caller's own, none where it named none."""

    token: str | None = None
    limit: int | None = None
    properties: Mapping[str, Any] = NOTHING


class Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where a page begins: after the name ``after`` (empty: with the first), at ``position`` or later."""

    after: str = ""
    limit: int | None = None
    position: str = ""

    @property
    def results_max(self) -> int:
        """How many results the page may hold."""
        return RESULTS_MAX if self.limit is None else min(self.limit, RESULTS_MAX)

    @property
    def reached(self) -> Position | None:
        """The position that the page before was answered at, if there was one."""
        try:
            return Position.decode(self.position) if self.position else None
        except InvalidPosition:
            return None


def page_of(document: Mapping[str, Any], faults: Faults) -> PageAsked:
    """The page that a search asks for; what is wrong goes to ``faults``."""
    page = document.get("page", NOTHING)
    if not isinstance(page, dict):
        if page is not NOTHING:
            faults.append(Fault("page", "must be a JSON object"))
        return PageAsked()
    token, limit = page.get("token"), page.get("limit", 0)
    if "token" in page and not isinstance(token, str):
        faults.append(Fault("page.token", "must be a text"))
        token = None
    if token == "":
        faults.append(Fault("page.token", "is empty, which says that there are no more results"))
    number = whole_number(limit)
    if number is None:
        faults.append(Fault("page.limit", "must be a whole number of 0 or more"))
    properties = bounded_object(page, "properties", faults, "page.")
    return PageAsked(token=token, limit=number if "limit" in page else None, properties=properties)


def place_of(page: PageAsked, search: tuple[object, ...], faults: Faults) -> Place:
    """Where the page begins in that search; a token of another search goes to ``faults``.

    Section 8.2.1: "Apart from the `token`, all values from the initial request MUST remain identical". A
    limit may be left out with a token, as in the specification's own example; it then stays what it was.
    """
    if page.token is None:
        return Place(limit=page.limit)
    try:
        place = opened(page.token, search, Place)
    except InvalidCursor:
        message = "must be the `next_token` of this very search, with nothing else changed"
        faults.append(Fault("page.token", message))
        return Place()
    if page.limit is not None and page.limit != place.limit:
        faults.append(Fault("page.limit", "must stay what it was when the search began"))
    return place


def token_of(place: Place, search: tuple[object, ...]) -> str:
    """The token of a place. One that would grow too long notes no position."""
    token = sealed(place, search)
    if len(token) > CURSOR_LENGTH_MAX:
        token = sealed(msgspec.structs.replace(place, position=""), search)
    return token


def search_of(tenant: str, target: str, request: Request, page: PageAsked) -> tuple[object, ...]:
    """All that tells one search from another, as plain data. A target's own id was never read."""
    return (tenant, target, msgspec.json.encode((*request, page.properties), order="sorted"))
