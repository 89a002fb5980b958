"""The log over HTTP: the tenant's events alone, resumable after any line, in flat memory, ended cleanly."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest

from choice_ledger.exporting import exported
from choice_ledger.http import event_stream
from choice_ledger.http.endpoints import Call
from choice_ledger.http.event_stream import (
    EVENTS_MAX,
    RECORDS_AT_ONCE,
    Chunk,
    Selection,
    read_chunk,
    stream,
)
from choice_ledger.http.parameters import Reading
from events.lines import format_line
from events.streams import Position, Slice
from events.union import Recorded
from projections.ports import EventSource
from tests.cli.running import TENANT, Cli
from tests.cli.test_exporting import damage
from tests.http.reading_world import example_client, fields_of, serving_example
from tests.http.serving import Served, serving

EVENTS = "/v1/events"
EVERYTHING = Reading(None, None, None, 0)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on the example's ledger, in which another tenant has recorded something too."""
    with serving_example(tmp_path_factory.mktemp("home")) as served:
        with served.client(tenant="globex") as other:
            for number in range(5):
                opts_out(other, f"g{number}")
        yield served


@pytest.fixture(scope="module")
def client(example: Served) -> Iterator[httpx.Client]:
    """An auditor of the example's tenant."""
    with example_client(example, "audit", "record") as client:
        yield client


def opts_out(client: httpx.Client, individual: str) -> str:
    """Record an opt-out; give the receipt's position."""
    body = {"individual": individual, "decision": "opt_out", "purposes": ["website"]}
    answer = client.post("/v1/choices", json=body)
    assert answer.status_code == 201
    return str(answer.json()["position"])


def lines_of(client: httpx.Client, **params: Any) -> list[dict[str, Any]]:
    """Every line of an answer."""
    answer = client.get(EVENTS, params=params)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def events_of(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events that lines bear."""
    return [line["event"] for line in lines if "event" in line]


def test_the_tenants_events_and_no_others(client: httpx.Client, example: Served) -> None:
    """An auditor gets what `export` writes of their tenant: nothing of another's or the ledger's own."""
    got = events_of(lines_of(client))
    everything = exported_lines(example)
    mine = [event for event in everything if event["tenant"] == TENANT]
    assert len(mine) < len(everything) - 5
    assert sorted(got, key=_id) == sorted(mine, key=_id)
    with example_client(example, "audit", tenant="globex") as other:
        theirs = events_of(lines_of(other))
    assert len(theirs) == 5
    assert {event["tenant"] for event in theirs} == {"globex"}
    with example_client(example, "audit", tenant="ledger-watch") as nobody:
        assert events_of(lines_of(nobody)) == []


def exported_lines(served: Served) -> list[dict[str, Any]]:
    """Every event that the log holds, as `export` writes them."""
    everything = exported(served.service.ledger.source)
    return [json.loads(format_line(recorded)) for recorded in everything if isinstance(recorded, Recorded)]


def _id(event: Mapping[str, Any]) -> str:
    return str(event["event_id"])


def test_within_a_stream_the_order_is_the_logs(client: httpx.Client, example: Served) -> None:
    """The events of individuals come in the order in which the log took them."""
    got = [event["event_id"] for event in events_of(lines_of(client)) if "individual" in event]
    everything = exported_lines(example)
    assert got == [e["event_id"] for e in everything if e["tenant"] == TENANT and "individual" in e]


@pytest.mark.parametrize("at_once", [1, 3, 7, RECORDS_AT_ONCE])
def test_who_is_cut_off_after_any_line_goes_on_without_a_gap(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """From the cursor of whichever line was received last, the rest comes: nothing twice, nothing lost."""
    monkeypatch.setattr(event_stream, "RECORDS_AT_ONCE", at_once)
    lines = lines_of(client)
    whole = [event["event_id"] for event in events_of(lines)]
    for cut in range(0, len(lines), 5):
        got = [event["event_id"] for event in events_of(lines[: cut + 1])]
        rest = lines_of(client, cursor=lines[cut]["cursor"])
        got += [event["event_id"] for event in events_of(rest)]
        assert sorted(got) == sorted(whole)
        assert rest[-1] == {"cursor": lines[-1]["cursor"], "more": False}


@pytest.mark.parametrize("limit", [1, 2, 5, 13])
def test_answers_of_a_few_together_are_the_log(client: httpx.Client, limit: int) -> None:
    """With a limit each answer has so many events and says that there is more, up to the last."""
    whole = [event["event_id"] for event in events_of(lines_of(client))]
    got: list[str] = []
    params: dict[str, Any] = {"limit": limit}
    while True:
        lines = lines_of(client, **params)
        got += [event["event_id"] for event in events_of(lines)]
        assert "event" not in lines[-1]
        params["cursor"] = lines[-1]["cursor"]
        if not lines[-1]["more"]:
            break
        assert len(events_of(lines)) == limit
    assert sorted(got) == sorted(whole)


def test_the_end_is_where_to_go_on(client: httpx.Client, example: Served) -> None:
    """After the last line nothing follows until something is recorded, which then is all that follows."""
    end = lines_of(client)[-1]
    assert lines_of(client, cursor=end["cursor"]) == [end]
    with example_client(example, "record") as writer:
        position = opts_out(writer, "late-comer")
    new = lines_of(client, cursor=end["cursor"], after=position)
    assert [event["individual"] for event in events_of(new)] == ["late-comer"]


def test_both_instants_cut_the_log(client: httpx.Client) -> None:
    """`at` leaves out what happened later, `known_at` what was recorded later."""
    whole = events_of(lines_of(client))
    cut = "2026-05-25T00:00:00.000000Z"
    happened = events_of(lines_of(client, at=cut))
    assert sorted(happened, key=_id) == sorted((e for e in whole if e["occurred_at"] <= cut), key=_id)
    known = events_of(lines_of(client, known_at=cut))
    assert sorted(known, key=_id) == sorted((e for e in whole if e["recorded_at"] <= cut), key=_id)
    assert len(known) < len(happened) < len(whole)


def test_a_receipts_position_is_a_cursor(client: httpx.Client, example: Served) -> None:
    """A position that names some slices alone begins the others at their first record: none is left out."""
    whole = events_of(lines_of(client))
    end = example.service.ledger.source.end()
    policies_only = Position.of(
        end.generation, [(s, o) for s, o in end.as_dict().items() if s.stream == "policies"]
    )
    got = events_of(lines_of(client, cursor=policies_only.encode()))
    assert sorted(map(_id, got)) == sorted(_id(event) for event in whole if "individual" in event)


def test_a_wrong_cursor_is_refused(client: httpx.Client, example: Served) -> None:
    """What is no cursor, lies beyond the end, or names a slice that there is not, is refused."""
    end = example.service.ledger.source.end()
    slice_, offset = next(iter(end.as_dict().items()))
    wrong = [
        "!",
        Position.of(end.generation, [(slice_, offset + 1_000)]).encode(),
        Position.of(end.generation, [(slice_, -1)]).encode(),
        Position.of(end.generation, [(Slice("individuals", 99), 0)]).encode(),
    ]
    for cursor in wrong:
        refused = client.get(EVENTS, params={"cursor": cursor})
        assert (refused.status_code, fields_of(refused)) == (400, ["cursor"])
    foreign = client.get(EVENTS, params={"cursor": Position("another", end.offsets).encode()})
    assert (foreign.status_code, foreign.json()["type"]) == (409, "/problems/wrong_generation")


def test_a_limit_has_its_bounds(client: httpx.Client) -> None:
    """The greatest limit is taken; one more, and none at all, are refused."""
    assert client.get(EVENTS, params={"limit": EVENTS_MAX}).status_code == 200
    for limit in (0, EVENTS_MAX + 1):
        assert fields_of(client.get(EVENTS, params={"limit": limit})) == ["limit"]


def test_only_lines_are_offered(client: httpx.Client) -> None:
    """Who does not take lines is told so."""
    refused = client.get(EVENTS, headers={"Accept": "application/json"})
    assert (refused.status_code, refused.json()["type"]) == (406, "/problems/not_acceptable")


def test_an_unreadable_record_is_told_to_whom_it_concerns(tmp_path: Any) -> None:
    """A record that cannot be read is told in its place to its tenant, and to no other; the rest comes."""
    home = tmp_path / "home"
    mine = Cli(home)
    for individual in ("ana", "bo", "cy"):
        mine.does("choice", "record", individual, "--opt-out", "website")
    mine.with_tenant("globex").does("choice", "record", "dan", "--opt-out", "website")
    damage(home, 1, b"spoilt")
    with serving(home) as served:
        with served.client("audit") as client:
            lines = lines_of(client)
        with served.client("audit", tenant="globex") as other:
            theirs = lines_of(other)
    assert [event["individual"] for event in events_of(lines)] == ["ana", "cy"]
    (unreadable,) = [line["unreadable"] for line in lines if "unreadable" in line]
    assert unreadable["place"] == "individuals/0/1"
    assert [line for line in theirs if "unreadable" in line] == []
    assert [event["individual"] for event in events_of(theirs)] == ["dan"]


def test_a_long_stretch_of_others_is_told_as_a_cursor(
    client: httpx.Client, example: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a whole read holds nothing of the tenant's, a line without an event says how far it has come."""
    monkeypatch.setattr(event_stream, "RECORDS_AT_ONCE", 2)
    with example_client(example, "audit", tenant="globex") as other:
        lines = lines_of(other)
    progress = [line for line in lines if line.keys() == {"cursor"}]
    assert len(progress) > 5
    assert len({line["cursor"] for line in lines[:-1]}) == len(lines) - 1


def test_no_more_is_read_than_is_sent(example: Served) -> None:
    """A reader that stops taking lines stops the reading of the log; one that goes away ends it."""
    reads: list[int] = []

    class Counting:
        """The log, and how often it is read."""

        def __getattr__(self, name: str) -> Any:
            return getattr(example.service.ledger.source, name)

        def read(self, *arguments: Any) -> Any:
            reads.append(1)
            return example.service.ledger.source.read(*arguments)

    async def take_two() -> int:
        lines = _lines_of_one_each(example, Counting())
        await anext(lines)
        await anext(lines)
        await lines.aclose()  # type: ignore[attr-defined]  # A generator has it, though the type is an iterator.
        await asyncio.sleep(0.05)
        return len(reads)

    assert asyncio.run(take_two()) == 2


def _lines_of_one_each(served: Served, source: Any, stopping: bool = False) -> AsyncIterator[bytes]:
    service = replace(
        served.service, ledger=replace(served.service.ledger, source=source), stopping=lambda: stopping
    )
    call = Call(service=service, request_id="", method="GET", address="", path={}, query={}, headers={})
    selection = Selection(TENANT, EVERYTHING, source.end().as_dict(), None)
    first = _first(source, selection)
    return stream(call, selection, first)


def _first(source: EventSource, selection: Selection) -> Chunk:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_stream, "RECORDS_AT_ONCE", 2)
        return read_chunk(source, source.start(), selection)


def test_a_service_that_stops_ends_the_answer_cleanly(example: Served) -> None:
    """Once the service stops, the answer ends after the lines at hand, and says where to go on."""

    async def all_lines() -> bytes:
        source = example.service.ledger.source
        return b"".join([part async for part in _lines_of_one_each(example, source, stopping=True)])

    lines = [json.loads(line) for line in asyncio.run(all_lines()).splitlines()]
    assert lines[-1]["more"] is True
    assert len(lines) < 10
    assert lines[-1]["cursor"]


def test_a_client_that_goes_away_frees_the_service(example: Served, client: httpx.Client) -> None:
    """Many clients that read one line and hang up leave nothing behind: the service goes on answering."""
    threads = threading.active_count()
    for _ in range(20):
        with client.stream("GET", EVENTS) as answer:
            next(answer.iter_raw(16))
    assert lines_of(client)[-1]["more"] is False
    assert threading.active_count() <= threads + 32
    assert example.service.admission.waiting(example.service.readers) == 0
