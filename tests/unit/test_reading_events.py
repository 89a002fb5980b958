"""The log read in chunks: many slices, records of others between, and no more memory than a chunk takes."""

import json
import tracemalloc
from typing import Any

import pytest

from choice_ledger.http import event_stream
from choice_ledger.http.event_stream import RECORDS_AT_ONCE, Chunk, Selection, read_chunk
from choice_ledger.http.parameters import Reading
from events.streams import Position
from tests.simulation.logs import RawLog, log_of
from tests.unit.people import TENANT, amended, day, opted_out, told

EVERYTHING = Reading(None, None, None, 0)
MEMORY_BYTES_MAX = 4 * 1024 * 1024


def log(partitions: int, people: int = 12) -> RawLog:
    """A log of two tenants' policies and of many people's events, over several slices."""
    events = [amended(day(1)), amended(day(1), tenant="globex"), amended(day(3), 2)]
    for number in range(people):
        events += [told(day(4), f"p{number}"), opted_out(day(5 + number), f"p{number}")]
    return log_of(events, partitions)


def selection(of: RawLog, tenant: str = TENANT, limit: int | None = None) -> Selection:
    """All that the log holds now of a tenant."""
    return Selection(tenant, EVERYTHING, of.end().as_dict(), limit)


def chunks(of: RawLog, position: Position, asked: Selection) -> list[Chunk]:
    """Chunk after chunk up to the end."""
    found = [read_chunk(of, position, asked)]
    while found[-1].more:
        found.append(read_chunk(of, found[-1].position, asked))
    return found


def lines(found: list[Chunk]) -> list[dict[str, Any]]:
    """The lines of some chunks."""
    return [json.loads(line) for chunk in found for line in chunk.lines.splitlines()]


def ids(found: list[dict[str, Any]]) -> list[str]:
    """The ids of the events that lines bear."""
    return [line["event"]["event_id"] for line in found if "event" in line]


@pytest.mark.parametrize("partitions", [1, 2, 5])
@pytest.mark.parametrize("at_once", [1, 2, 7, RECORDS_AT_ONCE])
def test_every_line_is_a_place_to_go_on_from(
    monkeypatch: pytest.MonkeyPatch, partitions: int, at_once: int
) -> None:
    """Over however many slices, what comes before a line's cursor and what comes after it are the whole."""
    monkeypatch.setattr(event_stream, "RECORDS_AT_ONCE", at_once)
    whole = log(partitions)
    asked = selection(whole)
    all_lines = lines(chunks(whole, whole.start(), asked))
    wanted = sorted(ids(all_lines))
    assert len(wanted) == len(set(wanted)) == 2 + 2 * 12
    for cut, line in enumerate(all_lines):
        rest = lines(chunks(whole, Position.decode(line["cursor"]), asked))
        assert sorted(ids(all_lines[: cut + 1]) + ids(rest)) == wanted


@pytest.mark.parametrize("at_once", [1, 3, RECORDS_AT_ONCE])
def test_what_is_appended_meanwhile_is_left_for_the_next_call(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """An answer ends where the log ended when it was asked for; its last cursor leads to what came since."""
    monkeypatch.setattr(event_stream, "RECORDS_AT_ONCE", at_once)
    growing = log(3)
    asked = selection(growing)
    before = sorted(ids(lines(chunks(growing, growing.start(), asked))))
    for number in range(40):
        growing.put_event(opted_out(day(50), f"late{number}"))
    found = chunks(growing, growing.start(), asked)
    assert sorted(ids(lines(found))) == before
    assert found[-1].position.covers(Position.of(found[-1].position.generation, asked.end.items()))
    after = chunks(growing, found[-1].position, selection(growing))
    assert len(ids(lines(after))) == 40


def test_a_limit_ends_a_chunk_within_a_read() -> None:
    """The chunk ends with the last event asked for, says so, and its position is right behind that event."""
    whole = log(3)
    first = read_chunk(whole, whole.start(), selection(whole, limit=5))
    assert (first.events, first.more) == (5, True)
    assert first.position.encode() == lines([first])[-1]["cursor"]
    everything = ids(lines(chunks(whole, whole.start(), selection(whole))))
    rest = ids(lines(chunks(whole, first.position, selection(whole))))
    assert sorted(ids(lines([first])) + rest) == sorted(everything)


def test_another_tenants_records_are_passed_over() -> None:
    """A tenant gets its own events alone, and one without any gets none."""
    whole = log(2)
    theirs = lines(chunks(whole, whole.start(), selection(whole, "globex")))
    assert [line["event"]["type"] for line in theirs if "event" in line] == ["PolicyAmended"]
    assert ids(lines(chunks(whole, whole.start(), selection(whole, "nobody")))) == []


def test_memory_stays_flat() -> None:
    """Going through a long log takes no more memory than a short one: a chunk at a time."""
    peaks = []
    for people in (300, 6_000):
        long_log = log(3, people)
        position, asked = long_log.start(), selection(long_log)
        read_chunk(long_log, position, asked)
        tracemalloc.start()
        more, count = True, 0
        while more:
            chunk = read_chunk(long_log, position, asked)
            position, more, count = chunk.position, chunk.more, count + chunk.events
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == 2 + 2 * people
    assert peaks[1] < MEMORY_BYTES_MAX
    assert peaks[1] < 2 * peaks[0]
