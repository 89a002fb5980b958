"""What a log owes to those who read it: the numbered demands of ``projections.ports.EventSource``."""

import threading
import time

import pytest

from events.codec import decode
from events.policy_events import LedgerBegun
from events.streams import INDIVIDUALS, POLICIES, LogRecord, Position, PositionUnavailable, Slice, stream_of
from tests.contract.log_workshop import (
    ONE_MINUTE,
    Workshop,
    acknowledged,
    after,
    append,
    batches,
    events_of,
    is_content,
    read_all,
)
from tests.contract.sample_events import choice, new_id, waiver


class EventSourceContract:
    """What a log owes to its readers. Bound through ``event_log_contract.LogContract``."""

    @pytest.mark.parametrize("limit", [1, 3, 1_000])
    def test_read_gives_everything_in_order(self, workshop: Workshop, limit: int) -> None:
        """EventSource 1: reads of any size give each slice from its first record on, in order and without a
        gap.
        """
        log, now = workshop.open(), workshop.clock()
        events = [waiver(now) if number % 4 == 0 else choice(now, f"person-{number}") for number in range(20)]
        append(log, *events)
        records = read_all(log, limit)
        assert sorted(e.event_id for e in events_of(records)) == sorted(e.event_id for e in events)
        for slice_ in log.start().as_dict():
            offsets = [record.offset for record in records if record.slice == slice_]
            assert offsets == sorted(set(offsets))
        for event, record in zip(events_of(records), (r for r in records if is_content(r)), strict=True):
            assert (record.slice.stream, record.key) == (stream_of(event), event.key.encode())

    def test_read_goes_on_from_any_position(self, workshop: Workshop) -> None:
        """EventSource 1: from each position on the way, what follows is exactly what was not read yet."""
        log = workshop.open()
        append(log, *(choice(workshop.clock(), f"person-{number}") for number in range(10)))
        position, seen, everything = log.start(), list[LogRecord](), sorted(read_all(log))
        for records in batches(log, position, 3):
            position = after(position, records)
            seen += records
            rest = [record for batch in batches(log, position, 1_000) for record in batch]
            assert sorted(seen + rest) == everything

    def test_read_takes_slices_that_are_not_named_from_their_start(self, workshop: Workshop) -> None:
        """EventSource 1: a receipt's position names one slice; of the others nothing was read yet."""
        log = workshop.open()
        outcome = acknowledged(append(log, choice(workshop.clock()))[0])
        rest = [record for records in batches(log, outcome.position, 10) for record in records]
        assert [type(decode(record.value).event) for record in rest] == [LedgerBegun]

    @pytest.mark.parametrize("limit", [1, 2, 5])
    def test_read_gives_no_more_than_asked_for(self, workshop: Workshop, limit: int) -> None:
        """EventSource 2: a read gives at most ``limit`` records."""
        log = workshop.open()
        append(log, *(choice(workshop.clock(), f"person-{number}") for number in range(10)))
        sizes = [len(records) for records in batches(log, log.start(), limit)]
        assert max(sizes) <= limit
        assert sum(sizes) == 11

    def test_read_at_the_end_gives_nothing(self, workshop: Workshop) -> None:
        """EventSource 2: where nothing follows, nothing is given, at once or after the wait."""
        log = workshop.open()
        append(log, choice(workshop.clock()))
        assert list(log.read(log.end())) == []
        begun = time.monotonic()
        assert list(log.read(log.end(), 10, 200)) == []
        assert 0.15 <= time.monotonic() - begun < 5

    def test_read_waits_for_the_first_record(self, workshop: Workshop) -> None:
        """EventSource 2: a read that waits is given what another handle appends meanwhile."""
        reader, writer = workshop.open(), workshop.open()
        event = choice(workshop.clock())
        timer = threading.Timer(0.2, lambda: append(writer, event))
        end = reader.end()
        timer.start()
        records = reader.read(end, 10, 10_000)
        timer.join()
        assert events_of(records) == [event]

    def test_nothing_is_read_that_was_rejected(self, workshop: Workshop) -> None:
        """EventSource 2: of an append that was refused in part, only the part that stands is read."""
        log, now = workshop.open(), workshop.clock()
        append(log, choice(now), choice(now + ONE_MINUTE), choice(now, "bob"))
        assert [event.key for event in sorted(events_of(read_all(log)), key=lambda e: e.key)] == [
            "acme/ana",
            "acme/bob",
        ]

    def test_a_position_of_another_generation_is_unavailable(self, workshop: Workshop) -> None:
        """EventSource 3: a position of another generation is never read from."""
        log = workshop.open()
        foreign = Position(generation=new_id(), offsets=log.end().offsets)
        with pytest.raises(PositionUnavailable):
            log.read(foreign)

    def test_a_position_beyond_the_end_is_unavailable(self, workshop: Workshop) -> None:
        """EventSource 3: a position beyond the end of any slice is never read from: the log has lost
        something.
        """
        log = workshop.open()
        append(log, choice(workshop.clock()))
        for slice_, offset in log.end().as_dict().items():
            beyond = log.end().as_dict() | {slice_: offset + 1}
            with pytest.raises(PositionUnavailable):
                log.read(Position.of(log.generation, beyond.items()))

    def test_a_position_in_no_slice_of_ours_is_unavailable(self, workshop: Workshop) -> None:
        """EventSource 3: a slice that this log does not have, or a negative offset, is never read from."""
        log = workshop.open()
        for offsets in ({Slice(INDIVIDUALS, 4_096): 1}, {Slice(POLICIES, 0): -1}):
            with pytest.raises(PositionUnavailable):
                log.read(Position.of(log.generation, offsets.items()))

    def test_the_end_covers_what_was_acknowledged(self, workshop: Workshop) -> None:
        """EventSource 4: the end, asked of any handle after an acknowledgement, covers its position."""
        writer, reader = workshop.open(), workshop.open()
        for number in range(10):
            outcome = acknowledged(append(writer, choice(workshop.clock(), f"person-{number}"))[0])
            assert reader.end().covers(outcome.position)
        assert set(reader.end().as_dict()) == set(reader.start().as_dict())

    def test_slice_of_names_where_an_individual_stands(self, workshop: Workshop) -> None:
        """EventSource 5: every event of a key stands in the slice that ``slice_of`` names."""
        log = workshop.open()
        append(log, *(choice(workshop.clock(), f"person-{number % 7}") for number in range(30)))
        records = [record for record in read_all(log) if record.slice.stream == INDIVIDUALS]
        assert len(records) == 30
        for record in records:
            assert log.slice_of(record.key) == record.slice
        assert log.start().as_dict().keys() >= {record.slice for record in records}

    def test_no_slice_starves_another(self, workshop: Workshop) -> None:
        """EventSource 6: in small reads, each slice that holds something has its turn soon."""
        log, now = workshop.open(), workshop.clock()
        append(log, *(choice(now, f"person-{number}") for number in range(100)), waiver(now))
        filled = {slice_ for slice_, offset in log.end().as_dict().items() if offset > 0}
        position, given = log.start(), set[Slice]()
        for turn, records in enumerate(batches(log, position, 2)):
            position = after(position, records)
            given |= {record.slice for record in records}
            if given == filled:
                break
            assert turn < 4 * len(filled), f"after {turn} reads {filled - given} had no turn"
        assert given == filled
