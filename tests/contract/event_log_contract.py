"""The contract of every log: what ``ledger.log.EventLog`` and ``projections.ports.EventSource`` demand.

An adapter's test module subclasses ``LogContract`` and provides one fixture, ``workshop``, which gives a
``Workshop`` on a log that does not exist yet. Where an adapter can be cut off from what makes it durable,
subclass ``InterruptedLogContract`` too. The suite asks nothing that only some adapters can do: a log may have
any number of partitions, may store a repeated event twice where it says so, and may be slow to read.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from events.codec import decode
from events.instants import INSTANT_MAX, SECOND, Micros
from events.policy_events import LedgerBegun, PolicyAmended
from events.streams import INDIVIDUALS, POLICIES, RECORD_BYTES_MAX, Position
from events.union import Event
from ledger.log import (
    APPEND_DEADLINE,
    BATCH_EVENTS_MAX,
    Acknowledged,
    LogFault,
    Outcome,
    Proposal,
    Rejected,
    Unknown,
)
from tests.contract.event_source_contract import EventSourceContract
from tests.contract.log_workshop import (
    ONE_MINUTE,
    Workshop,
    acknowledged,
    append,
    events_of,
    ids_in,
    read_all,
    rejected,
)
from tests.contract.sample_events import amendment, choice, event_of_size, new_id, waiver


class EventLogContract:
    """What a log owes to those who append to it and to those who read it."""

    def test_an_outcome_for_each_proposal_in_order(self, workshop: Workshop) -> None:
        """EventLog 1: one outcome for each proposal, in order; what cannot be stored is rejected, the
        others go on.
        """
        log, now = workshop.open(), workshop.clock()
        events: list[Event] = [
            choice(now),
            event_of_size(now, RECORD_BYTES_MAX + 1),
            waiver(now),
            choice(now, "bob"),
        ]
        outcomes = append(log, *events)
        assert [outcome.event_id for outcome in outcomes] == [event.event_id for event in events]
        assert [type(outcome) for outcome in outcomes] == [Acknowledged, Rejected, Acknowledged, Acknowledged]
        assert ids_in(log) == sorted(event.event_id for event in (events[0], events[2], events[3]))

    def test_nothing_appended_is_nothing_said(self, workshop: Workshop) -> None:
        """EventLog 1: no proposal has no outcome, and adds nothing to the log."""
        log = workshop.open()
        before = log.end()
        assert log.append([]) == ()
        assert log.end() == before

    def test_acknowledged_events_are_there_after_reopening(self, workshop: Workshop) -> None:
        """EventLog 2: what was acknowledged is in the log when it is opened again, unchanged."""
        log, now = workshop.open(), workshop.clock()
        events: list[Event] = [choice(now), waiver(now)]
        outcomes = [acknowledged(outcome) for outcome in append(log, *events)]
        log.close()
        again = workshop.open()
        recorded = {r.event.event_id: r for r in (decode(record.value) for record in read_all(again))}
        assert [recorded[event.event_id].event for event in events] == events
        for outcome in outcomes:
            assert recorded[outcome.event_id].recorded_at == outcome.recorded_at
            assert again.end().covers(outcome.position)

    def test_acknowledged_events_are_seen_by_other_handles(self, workshop: Workshop) -> None:
        """EventLog 2: what one handle acknowledged, a second one that was open before reads at once."""
        writer, reader = workshop.open(), workshop.open()
        event = choice(workshop.clock())
        outcome = acknowledged(append(writer, event)[0])
        assert reader.end().covers(outcome.position)
        assert events_of(read_all(reader)) == [event]

    def test_an_outcome_tells_the_place_of_its_event(self, workshop: Workshop) -> None:
        """EventLog 2: a position includes its event and ends right behind it."""
        log = workshop.open()
        first, second = (acknowledged(append(log, choice(workshop.clock()))[0]) for _ in range(2))
        places = {
            decode(record.value).event.event_id: (record.slice, record.offset) for record in read_all(log)
        }
        for outcome in (first, second):
            slice_, offset = places[outcome.event_id]
            assert outcome.position == Position.of(log.generation, [(slice_, offset + 1)])

    def test_a_record_of_the_largest_size_is_stored(self, workshop: Workshop) -> None:
        """EventLog 3, at the limit: a value of exactly ``RECORD_BYTES_MAX`` is stored and read back."""
        log, now = workshop.open(), workshop.clock()
        event = event_of_size(now, RECORD_BYTES_MAX)
        acknowledged(append(log, event)[0])
        assert events_of(read_all(log)) == [event]

    def test_a_larger_record_is_rejected(self, workshop: Workshop) -> None:
        """EventLog 3, past the limit: one byte more is ``too_large``, is not in the log, and harms nothing
        after it.
        """
        log, now = workshop.open(), workshop.clock()
        outcome = rejected(append(log, event_of_size(now, RECORD_BYTES_MAX + 1))[0])
        assert outcome.reason == "too_large"
        assert ids_in(log) == []
        acknowledged(append(log, choice(now))[0])

    def test_an_event_from_the_future_is_rejected(self, workshop: Workshop) -> None:
        """EventLog 3: an event that would happen after it is recorded is ``occurred_after_recorded``, and
        absent.
        """
        log = workshop.open()
        outcome = rejected(append(log, choice(workshop.clock() + ONE_MINUTE))[0])
        assert (outcome.reason, outcome.field) == ("occurred_after_recorded", "occurred_at")
        assert ids_in(log) == []

    def test_an_imported_event_recorded_before_it_happened_is_rejected(self, workshop: Workshop) -> None:
        """EventLog 3: a given ``recorded_at`` before ``occurred_at`` is refused, and nothing of it is
        stored.
        """
        log, now = workshop.open(), workshop.clock()
        outcome = rejected(log.append([Proposal(choice(now), now - 1)])[0])
        assert outcome.reason == "occurred_after_recorded"
        assert ids_in(log) == []

    @pytest.mark.parametrize("recorded_at", [INSTANT_MAX + 1, 2**63, 2**70])
    def test_an_impossible_recorded_at_is_rejected(self, workshop: Workshop, recorded_at: Micros) -> None:
        """EventLog 3: a given ``recorded_at`` that is no instant is ``invalid_time``, and nothing of it is
        stored.
        """
        log = workshop.open()
        outcome = rejected(log.append([Proposal(choice(workshop.clock()), recorded_at)])[0])
        assert (outcome.reason, outcome.field) == ("invalid_time", "recorded_at")
        assert ids_in(log) == []

    def test_every_append_ends_within_its_deadline(self, workshop: Workshop) -> None:
        """EventLog 4: appends that compete for the log all end, each in time and with a told outcome."""
        log = workshop.open()

        def timed(number: int) -> tuple[float, Outcome]:
            begun = time.monotonic()
            (outcome,) = append(log, choice(workshop.clock(), f"person-{number}"))
            return time.monotonic() - begun, outcome

        with ThreadPoolExecutor(16) as pool:
            ends = list(pool.map(timed, range(64)))
        assert max(seconds for seconds, _ in ends) < APPEND_DEADLINE / SECOND
        assert {type(outcome) for _, outcome in ends} == {Acknowledged}

    def test_events_of_one_key_keep_their_order(self, workshop: Workshop) -> None:
        """EventLog 5: events of one key stand in the order of the proposals, and of the calls."""
        log, now = workshop.open(), workshop.clock()
        people = ("ana", "bob", "cem")
        events = [choice(now, people[number % 3], f"step-{number}") for number in range(60)]
        for begin in range(0, len(events), 7):
            append(log, *events[begin : begin + 7])
        read = events_of(read_all(log))
        for person in people:
            key = f"acme/{person}"
            assert [event for event in read if event.key == key] == [e for e in events if e.key == key]

    def test_recorded_at_is_the_clock(self, workshop: Workshop) -> None:
        """EventLog 6: ``recorded_at`` is what the clock says when the event is appended."""
        log = workshop.open()
        before = workshop.clock()
        outcome = acknowledged(append(log, choice(before))[0])
        assert before <= outcome.recorded_at <= workshop.clock()

    @pytest.mark.parametrize("back", [0, SECOND // 2])
    def test_recorded_at_grows_although_the_clock_does_not(self, workshop: Workshop, back: Micros) -> None:
        """EventLog 6: on a clock that stands still, or was set back, each event is a microsecond after the
        last.
        """
        log = workshop.open()
        first = acknowledged(append(log, choice(workshop.clock()))[0]).recorded_at
        stopped = workshop.clock.stop(back)
        events = [choice(stopped - SECOND, f"person-{number}") for number in range(5)]
        outcomes = [*append(log, *events[:3]), *append(log, *events[3:])]
        begin = max(stopped, first + 1)
        assert [acknowledged(outcome).recorded_at for outcome in outcomes] == list(range(begin, begin + 5))

    def test_a_given_recorded_at_is_kept(self, workshop: Workshop) -> None:
        """EventLog 6: ``recorded_at`` of a proposal is kept, and does not move the writer's own."""
        log, now = workshop.open(), workshop.clock()
        long_ago = now - 400 * 24 * 60 * ONE_MINUTE
        event = choice(long_ago)
        outcome = acknowledged(log.append([Proposal(event, long_ago)])[0])
        assert outcome.recorded_at == long_ago
        assert long_ago in [decode(record.value).recorded_at for record in read_all(log)]
        assert acknowledged(append(log, choice(now))[0]).recorded_at >= now

    def test_a_repeated_event_is_acknowledged(self, workshop: Workshop) -> None:
        """EventLog 7: the same id and content is acknowledged again and, where the log deduplicates, adds
        nothing and tells the time and position of the first, across reopening too.
        """
        log, event = workshop.open(), choice(workshop.clock())
        first = acknowledged(append(log, event)[0])
        second = acknowledged(append(log, event)[0])
        third = acknowledged(append(workshop.open(), event)[0])
        if log.deduplicates:
            assert not first.repeated
            assert second == third == replace(first, repeated=True)
            assert ids_in(log) == [event.event_id]
        else:
            assert set(ids_in(log)) == {event.event_id}

    def test_a_repetition_within_one_append(self, workshop: Workshop) -> None:
        """EventLog 7: the same event twice in one append is acknowledged twice, and is one event."""
        log, event = workshop.open(), choice(workshop.clock())
        first, second = (acknowledged(outcome) for outcome in append(log, event, event))
        assert set(ids_in(log)) == {event.event_id}
        if log.deduplicates:
            assert (first.repeated, second.repeated) == (False, True)
            assert (second.recorded_at, second.position) == (first.recorded_at, first.position)
            assert len(ids_in(log)) == 1

    def test_an_id_may_stand_under_several_keys(self, workshop: Workshop) -> None:
        """EventLog 7: an id is an individual's own: under another key it is another event."""
        log, now, event_id = workshop.open(), workshop.clock(), new_id()
        events: list[Event] = [choice(now, person, event_id=event_id) for person in ("ana", "bob")]
        outcomes = [acknowledged(outcome) for outcome in append(log, *events, waiver(now, event_id=event_id))]
        assert [outcome.repeated for outcome in outcomes] == [False, False, False]
        assert ids_in(log) == [event_id] * 3

    def test_a_repeated_id_with_other_content(self, workshop: Workshop) -> None:
        """EventLog 8: the same id with other content is an ``id_conflict`` where the log deduplicates;
        elsewhere the first stands first.
        """
        log, now, event_id = workshop.open(), workshop.clock(), new_id()
        first, other = (choice(now, purpose=purpose, event_id=event_id) for purpose in ("hr", "sales"))
        acknowledged(append(log, first)[0])
        again, within = append(log, other)[0], append(log, choice(now), other)[1]
        if log.deduplicates:
            assert rejected(again).reason == rejected(within).reason == "id_conflict"
            assert [e for e in events_of(read_all(log)) if e.event_id == event_id] == [first]
        else:
            assert next(e for e in events_of(read_all(log)) if e.event_id == event_id) == first

    def test_keys_are_told_apart_byte_by_byte(self, workshop: Workshop) -> None:
        """EventLog 9: ``Ana`` is not ``ana``, nor ``é`` ``e``: one id under each is several events."""
        log, now, event_id = workshop.open(), workshop.clock(), new_id()
        people = ("Ana", "ana", "ANA", "é", "É", "e", "ﬁ", "fi", "ß", "ss")
        for person in people:
            assert not acknowledged(append(log, choice(now, person, event_id=event_id))[0]).repeated
        keys = [record.key for record in read_all(log) if record.slice.stream == INDIVIDUALS]
        assert sorted(keys) == sorted(f"acme/{person}".encode() for person in people)

    def test_many_threads_and_handles_may_append(self, workshop: Workshop) -> None:
        """EventLog 10: threads of two handles lose nothing, double nothing, and keep the order of each
        caller.
        """
        logs = [workshop.open(), workshop.open()]
        people = [f"person-{number}" for number in range(8)]
        events = {p: [choice(workshop.clock(), p, f"step-{step}") for step in range(12)] for p in people}

        def write(number: int) -> None:
            for event in events[people[number]]:
                acknowledged(append(logs[number % 2], event)[0])

        with ThreadPoolExecutor(len(people)) as pool:
            list(pool.map(write, range(len(people))))
        read = events_of(read_all(logs[0]))
        for person in people:
            assert [event for event in read if event.key == f"acme/{person}"] == events[person]
        assert len(read) == sum(map(len, events.values()))

    def test_a_log_begins_with_its_generation(self, workshop: Workshop) -> None:
        """EventLog 11: the first event is the only ``LedgerBegun``, and every position bears its
        generation.
        """
        log = workshop.open()
        outcome = acknowledged(append(log, choice(workshop.clock()))[0])
        again = workshop.open()
        policies = [record for record in read_all(again) if record.slice.stream == POLICIES]
        assert [type(decode(record.value).event) for record in policies] == [LedgerBegun]
        begun = decode(policies[0].value).event
        assert isinstance(begun, LedgerBegun)
        assert {begun.generation} == {log.generation, again.generation}
        positions = (outcome.position, log.start(), log.end(), again.start(), again.end())
        assert {position.generation for position in positions} == {begun.generation}

    def test_an_event_heard_now_happens_when_it_is_recorded(self, workshop: Workshop) -> None:
        """EventLog 12: an event ``heard_now`` is stored with both times equal, even from a clock that is
        ahead.
        """
        log, now = workshop.open(), workshop.clock()
        event = choice(now + ONE_MINUTE)
        outcome = acknowledged(log.append([Proposal(event, heard_now=True)])[0])
        (stored,) = events_of(read_all(log))
        assert stored.occurred_at == outcome.recorded_at
        assert stored == replace(event, occurred_at=outcome.recorded_at)

    def test_a_policy_heard_now_takes_effect_when_it_is_recorded(self, workshop: Workshop) -> None:
        """EventLog 12: a version that takes effect as it is published is in force from ``recorded_at`` on."""
        log, now = workshop.open(), workshop.clock()
        outcome = acknowledged(log.append([Proposal(amendment(now, now), heard_now=True)])[0])
        (stored,) = events_of(read_all(log))
        assert isinstance(stored, PolicyAmended)
        assert stored.occurred_at == stored.effective_at == outcome.recorded_at

    def test_an_event_heard_again_is_the_same_event(self, workshop: Workshop) -> None:
        """EventLog 12: a repetition of what was ``heard_now`` is the same event, whatever ``occurred_at``
        it bears.
        """
        log, now, event_id = workshop.open(), workshop.clock(), new_id()
        proposals = [
            Proposal(choice(now + later, event_id=event_id), heard_now=True) for later in (0, SECOND, -SECOND)
        ]
        first, *others = (acknowledged(log.append([proposal])[0]) for proposal in proposals)
        if log.deduplicates:
            assert others == [replace(first, repeated=True)] * 2
            assert rejected(
                log.append([Proposal(choice(now, purpose="hr", event_id=event_id), heard_now=True)])[0]
            ).reason == ("id_conflict")
        assert set(ids_in(log)) == {event_id}

    def test_a_batch_of_the_largest_size_is_appended(self, workshop: Workshop) -> None:
        """EventLog 13, at the limit: ``BATCH_EVENTS_MAX`` proposals are appended, in order."""
        log, now = workshop.open(), workshop.clock()
        events = [choice(now, f"person-{number % 50}") for number in range(BATCH_EVENTS_MAX)]
        outcomes = append(log, *events)
        assert {type(outcome) for outcome in outcomes} == {Acknowledged}
        assert ids_in(log) == sorted(event.event_id for event in events)

    def test_a_larger_batch_is_a_fault(self, workshop: Workshop) -> None:
        """EventLog 13, past the limit: one proposal more raises ``LogFault``, and nothing is appended."""
        log, now = workshop.open(), workshop.clock()
        proposals = [Proposal(choice(now))] * (BATCH_EVENTS_MAX + 1)
        with pytest.raises(LogFault, match=r"10[,_]?000"):
            log.append(proposals)
        assert ids_in(log) == []

    def test_a_closed_log_takes_nothing(self, workshop: Workshop) -> None:
        """After ``close``, which may be called twice, an append raises ``LogFault``: nothing is told to be
        stored.
        """
        log = workshop.open()
        log.close()
        log.close()
        with pytest.raises(LogFault, match="closed"):
            append(log, choice(workshop.clock()))


class LogContract(EventLogContract, EventSourceContract):
    """Both sides at once: one adapter satisfies both ports."""


class InterruptedLogContract:
    """What a log owes while it is cut off from what makes it durable. Bound where that can be brought
    about.
    """

    def test_outcomes_are_true_through_an_interruption(self, workshop: Workshop) -> None:
        """EventLog 2, 3 and 4: nothing told as acknowledged is missing, nothing told as rejected is there,
        and what is unknown is told in time.
        """
        log, now = workshop.open(), workshop.clock()
        before = append(log, choice(now, "before"))
        assert workshop.interrupted is not None
        with workshop.interrupted():
            begun = time.monotonic()
            during = append(log, *(choice(now, f"during-{number}") for number in range(5)))
            assert time.monotonic() - begun < APPEND_DEADLINE / SECOND + 10
        later = append(log, choice(now, "later"))
        outcomes = (*before, *during, *later)
        stored = set(ids_in(workshop.open()))
        assert {type(outcome) for outcome in (*before, *later)} == {Acknowledged}
        assert {type(outcome) for outcome in during} <= {Rejected, Unknown}
        assert {o.event_id for o in outcomes if isinstance(o, Acknowledged)} <= stored
        assert not {o.event_id for o in outcomes if isinstance(o, Rejected)} & stored

    def test_what_ended_unknown_may_be_sent_again(self, workshop: Workshop) -> None:
        """EventLog 4 and 7: an event whose append ended unknown is sent again by its id, and is one event."""
        log, event = workshop.open(), choice(workshop.clock())
        assert workshop.interrupted is not None
        with workshop.interrupted():
            append(log, event)
        assert acknowledged(append(log, event)[0]).event_id == event.event_id
        assert set(ids_in(log)) == {event.event_id}
        assert not log.deduplicates or len(ids_in(log)) == 1
