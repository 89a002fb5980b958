"""How far one page of an AuthZEN search looks, and where it says that the next one goes on."""

import pytest

from choice_ledger.http.authzen_pages import RESULTS_MAX
from choice_ledger.http.authzen_searches import (
    LOOKED_AT_MAX,
    LOOKED_AT_MIN,
    LOOKED_AT_PER_RESULT,
    Asked,
    Permitted,
    among,
    asked_of,
    permitted,
)
from events.union import Recorded
from projections.reader import ReadModel
from tests.simulation.logs import log_of, projected
from tests.unit.people import TENANT, amended, day, told
from tests.unit.test_authzen_questions import OneService


def asked(limit: int) -> Asked:
    """A search for individuals to whom a recipient, whom nothing declares, may send mail."""
    return asked_of(
        "resource",
        TENANT,
        {
            "subject": {"type": "recipient", "id": "adco"},
            "action": {"name": "website.email"},
            "resource": {"type": "individual"},
            "page": {"limit": limit},
        },
    )


def page(count: int, limit: int, after: str = "") -> Permitted:
    """One page of a search among so many individuals, none of whom is found."""
    events: list[Recorded] = [amended(day(0)), told(day(1))]
    log = log_of(events)
    model = ReadModel(projected(log), log.slice_of, lambda: day(2))
    names = among(f"n{number:05d}" for number in range(count))
    search = asked(limit)
    begun = search._replace(place=type(search.place)(after=after, limit=limit))
    return permitted(begun, names, model.answer_many, OneService())


@pytest.mark.parametrize(
    ("limit", "looked_at"),
    [
        (0, LOOKED_AT_MIN),
        (1, LOOKED_AT_MIN),
        (LOOKED_AT_MIN // LOOKED_AT_PER_RESULT, LOOKED_AT_MIN),
        (LOOKED_AT_MIN // LOOKED_AT_PER_RESULT + 1, LOOKED_AT_MIN + LOOKED_AT_PER_RESULT),
        (LOOKED_AT_MAX // LOOKED_AT_PER_RESULT, LOOKED_AT_MAX),
        (LOOKED_AT_MAX // LOOKED_AT_PER_RESULT + 1, LOOKED_AT_MAX),
        (RESULTS_MAX + 1, LOOKED_AT_MAX),
    ],
)
def test_a_page_ends_where_it_has_looked_enough(limit: int, looked_at: int) -> None:
    """With as many candidates as a page looks at there is no next page; with one more it follows the last."""
    whole = page(looked_at, limit)
    assert (whole.names, whole.goes_on_after) == ((), None)
    part = page(looked_at + 1, limit)
    assert (part.names, part.goes_on_after) == ((), f"n{looked_at - 1:05d}")
    assert page(looked_at + 1, limit, f"n{looked_at - 1:05d}").goes_on_after is None


def test_a_page_of_nobody_has_no_position() -> None:
    """Where there is no candidate, nobody was looked at, and so no state."""
    assert page(0, 5) == Permitted((), None, None)
    assert page(1, 5).position is not None


@pytest.mark.parametrize(
    ("after", "limit", "expected"),
    [("", 9, ["A", "a", "b", "é"]), ("a", 9, ["b", "é"]), ("aa", 1, ["b"]), ("é", 9, []), ("", 0, [])],
)
def test_names_that_are_at_hand(after: str, limit: int, expected: list[str]) -> None:
    """Names come once each, in the order of their bytes, from behind the one that was last."""
    assert list(among(["b", "a", "é", "A", "a"])(after, limit)) == expected
