"""An individual's history: whole, in order, in pages that stay one list, and as lines."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from choice_ledger.http import history
from choice_ledger.http.history import LINES_AT_ONCE, PAGE_EVENTS, PAGE_EVENTS_MAX, POSITION_HEADER
from tests.cli.running import TENANT
from tests.http.reading_world import example_client, fields_of, serving_example
from tests.http.serving import Served

HISTORY = "/v1/individuals/{}/history"
LINES = {"Accept": "application/x-ndjson"}
PEOPLE = ("ana", "milo", "dora")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on the example's ledger."""
    with serving_example(tmp_path_factory.mktemp("home")) as served:
        yield served


@pytest.fixture(scope="module")
def client(example: Served) -> Iterator[httpx.Client]:
    """A client that may audit, and record."""
    with example_client(example, "audit", "record", "officer") as client:
        yield client


def pages(client: httpx.Client, individual: str, **params: Any) -> Iterator[list[dict[str, Any]]]:
    """Page after page, up to the last."""
    answer = client.get(HISTORY.format(individual), params=params).json()
    yield answer["events"]
    while answer["cursor"] is not None:
        params["cursor"] = answer["cursor"]
        answer = client.get(HISTORY.format(individual), params=params).json()
        yield answer["events"]


def lines(client: httpx.Client, individual: str, **params: Any) -> list[dict[str, Any]]:
    """The history as it is streamed."""
    answer = client.get(HISTORY.format(individual), params=params, headers=LINES)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert answer.headers[POSITION_HEADER]
    return [json.loads(line) for line in answer.text.splitlines()]


def opts_out(client: httpx.Client, individual: str, number: int = 0) -> None:
    """Record an opt-out of an individual."""
    body = {"individual": individual, "decision": "opt_out", "purposes": [f"website.n{number}"]}
    assert client.post("/v1/choices", json=body).status_code == 201


@pytest.mark.parametrize("individual", PEOPLE)
@pytest.mark.parametrize("limit", [1, 2, 3, 1_000])
def test_pages_together_are_the_history(client: httpx.Client, individual: str, limit: int) -> None:
    """Whatever the pages' size, together they are what is streamed: each event once, in order."""
    whole = lines(client, individual)
    assert whole
    found = list(pages(client, individual, limit=limit))
    assert [event for page in found for event in page] == whole
    assert all(len(page) == limit for page in found[:-1])
    order = [(event["occurred_at"], event["recorded_at"], event["event_id"]) for event in whole]
    assert order == sorted(order)


def test_lines_are_what_the_log_holds(client: httpx.Client, example: Served) -> None:
    """Each line is the event's line; the history of an unknown individual has none."""
    held = {r.event.event_id for r in example.service.ledger.history(f"{TENANT}/ana")}
    assert {event["event_id"] for event in lines(client, "ana")} == held
    assert lines(client, "nobody-knows") == []
    assert list(pages(client, "nobody-knows")) == [[]]


def test_both_instants_cut_the_history(client: httpx.Client) -> None:
    """`at` leaves out what happened later, `known_at` what was recorded later; both leave out either."""
    whole = lines(client, "ana")
    cut = "2026-05-25T00:00:00.000000Z"
    happened = [event for event in whole if event["occurred_at"] <= cut]
    known = [event for event in whole if event["recorded_at"] <= cut]
    assert happened != known
    assert lines(client, "ana", at=cut) == happened
    assert lines(client, "ana", known_at=cut) == known
    both = [event for event in happened if event in known]
    assert lines(client, "ana", at=cut, known_at=cut) == both
    assert [e for page in pages(client, "ana", limit=1, at=cut, known_at=cut) for e in page] == both


def test_pages_stay_one_list_while_events_arrive(client: httpx.Client) -> None:
    """What arrives between two pages, a letter dated before them all too, changes none of those pages."""
    for number in range(4):
        opts_out(client, "steady", number)
    before = lines(client, "steady")
    found = pages(client, "steady", limit=1)
    got = [*next(found)]
    letter = {
        "individual": "steady",
        "decision": "opt_out",
        "purposes": ["website.letter"],
        "occurred_at": "2026-01-01T00:00:00Z",
        "medium": "mail",
    }
    assert client.post("/v1/choices", json=letter).status_code == 201
    opts_out(client, "steady", 9)
    got += [event for page in found for event in page]
    assert got == before
    after = lines(client, "steady")
    assert len(after) == len(before) + 2
    assert after[0]["purposes"] == ["website.letter"]


def test_pages_stay_one_list_under_a_storm_of_writes(example: Served, client: httpx.Client) -> None:
    """Readers that page through while others write each get every event that stood when they began, once."""
    for number in range(6):
        opts_out(client, "busy", number)
    stop = threading.Event()

    def write() -> None:
        with example_client(example, "record") as writer:
            while not stop.is_set():
                opts_out(writer, "busy")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            begun = {event["event_id"] for event in lines(client, "busy")}
            got = [event["event_id"] for page in pages(client, "busy", limit=5) for event in page]
            assert len(got) == len(set(got))
            assert begun <= set(got)
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("change", ["individual", "at", "known_at", "tenant", "text", "end", "empty"])
def test_a_foreign_or_changed_cursor_is_refused(client: httpx.Client, example: Served, change: str) -> None:
    """A cursor is taken back by the very list that gave it, unchanged, and by no other."""
    cursor = client.get(HISTORY.format("ana"), params={"limit": 1}).json()["cursor"]
    asked: dict[str, Any] = {"cursor": cursor}
    individual, asks = "ana", client
    match change:
        case "individual":
            individual = "dora"
        case "at" | "known_at":
            asked[change] = "2026-09-01T00:00:00Z"
        case "tenant":
            asks = example_client(example, "audit", tenant="globex")
        case "text":
            asked["cursor"] = cursor[:20] + ("A" if cursor[20] != "A" else "B") + cursor[21:]
        case "end":
            asked["cursor"] = cursor[:-4]
        case _:
            asked["cursor"] = "!"
    refused = asks.get(HISTORY.format(individual), params=asked)
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/invalid_parameter")
    assert fields_of(refused) == ["cursor"]
    if asks is not client:
        asks.close()
    assert client.get(HISTORY.format("ana"), params={"cursor": cursor}).status_code == 200


def test_a_page_has_at_most_so_many_events(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The greatest limit is taken and one more is refused; without one a page has its usual size."""
    assert client.get(HISTORY.format("ana"), params={"limit": PAGE_EVENTS_MAX}).status_code == 200
    for wrong in (0, PAGE_EVENTS_MAX + 1, "x", -1, "1.5"):
        refused = client.get(HISTORY.format("ana"), params={"limit": wrong})
        assert (refused.status_code, fields_of(refused)) == (400, ["limit"])
    monkeypatch.setattr(history, "PAGE_EVENTS", 2)
    assert len(next(pages(client, "ana"))) == 2
    assert PAGE_EVENTS <= PAGE_EVENTS_MAX


def test_what_is_streamed_is_written_in_pieces(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many lines are written at once, the lines are the same."""
    whole = lines(client, "dora")
    assert LINES_AT_ONCE > 1
    monkeypatch.setattr(history, "LINES_AT_ONCE", 1)
    assert lines(client, "dora") == whole


def test_a_stream_has_neither_limit_nor_cursor(client: httpx.Client) -> None:
    """Lines are streamed whole: what belongs to pages is refused."""
    cursor = client.get(HISTORY.format("ana"), params={"limit": 1}).json()["cursor"]
    for params in ({"limit": 1}, {"cursor": cursor}):
        assert client.get(HISTORY.format("ana"), params=params, headers=LINES).status_code == 400


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("*/*", 200, "application/json"),
        ("application/*", 200, "application/json"),
        ("application/x-ndjson, application/json;q=0.5", 200, "application/x-ndjson"),
        ("application/x-ndjson;q=0.1, application/json;q=0.5", 200, "application/json"),
        ("text/html", 406, "application/problem+json"),
    ],
)
def test_the_caller_chooses_pages_or_lines(client: httpx.Client, accept: str, status: int, kind: str) -> None:
    """`Accept` decides by its weights; a type that there is not is refused."""
    answer = client.get(HISTORY.format("ana"), headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, kind)
