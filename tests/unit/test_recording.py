"""Recording on any log: receipts, repetitions, unknown outcomes, links and waivers."""

import itertools
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from choice_ledger.content_store import ContentStore
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.exporting import Unreadable, exported
from choice_ledger.importing import BATCH_BYTES_MAX, UNSTORED_LINES_MAX, Import, LineFault, import_lines
from choice_ledger.knowledge import held_by, holds_its_own, waive_knowledge
from choice_ledger.ledger_at_hand import LedgerAtHand, records_between
from choice_ledger.reading_lines import NumberedLine
from choice_ledger.recording import record, record_both, record_waivers
from choice_ledger.settings import Settings
from events.envelope import LEDGER_TENANT
from events.individual_events import ChoiceMade
from events.instants import SECOND, Micros
from events.lines import format_line
from events.policy_events import LedgerBegun, PolicyAmended, SafeguardWaived
from events.streams import INDIVIDUALS, POLICIES, LogRecord, Position, Slice
from events.terms import Terms
from events.union import Recorded
from ledger.commands import Heard, LinkIndividuals, PublishPolicy, RecordChoice
from ledger.log import BATCH_EVENTS_MAX, EventLog, Outcome, Proposal, Rejected, Unknown
from ledger.memory_log import MemoryLog, MemoryRecords
from projections.memory_store import MemoryStore
from projections.projector import Projector
from tests.contract.sample_events import choice

START: Micros = 1_800_000_000 * SECOND
LINK_PARTITIONS = 3


class Clock:
    """A clock that goes on by a second at each look."""

    def __init__(self) -> None:
        """Begin at the start."""
        self._seconds = itertools.count()

    def __call__(self) -> Micros:
        """The next instant."""
        return START + next(self._seconds) * SECOND


def ids() -> Callable[[], str]:
    """New ids, one after the other."""
    numbers = itertools.count(1)
    return lambda: str(uuid.UUID(int=next(numbers)))


def at_hand(
    folder: Path, *, partitions: int = 1, deduplicates: bool = True, log: EventLog | None = None
) -> LedgerAtHand:
    """A ledger in memory; ``log`` replaces what is appended to."""
    clock, new_id = Clock(), ids()
    memory = MemoryLog(clock, new_id, MemoryRecords(partitions, deduplicates=deduplicates))
    store = MemoryStore()
    return LedgerAtHand(
        settings=Settings(),
        clock=clock,
        new_id=new_id,
        log=log or memory,
        source=memory,
        store=store,
        folding=Projector(memory, store),
        content=ContentStore(folder),
    )


@pytest.fixture(params=[True, False], ids=["deduplicating", "repeating"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LedgerAtHand]:
    """A ledger on a log that finds repetitions itself, and on one that does not."""
    ledger = at_hand(tmp_path, partitions=LINK_PARTITIONS, deduplicates=request.param)
    yield ledger
    ledger.close()


def heard(ledger: LedgerAtHand, event_id: str | None = None) -> Heard:
    """A command that is heard now."""
    return Heard(event_id=event_id or ledger.new_id(), tenant="main")


def opt_out(individual: str = "ana", purpose: str = "website.email") -> RecordChoice:
    """An opt-out."""
    return RecordChoice(individual=individual, decision="opt_out", purposes=(purpose,))


def recorded_events(ledger: LedgerAtHand) -> list[Any]:
    """Every event of the ledger but its beginning, a repetition once."""
    found = [entry for entry in exported(ledger.source) if isinstance(entry, Recorded)]
    unique = {(entry.event.key, entry.event.event_id): entry.event for entry in reversed(found)}
    return [event for event in reversed(unique.values()) if not isinstance(event, LedgerBegun)]


def test_a_receipt_names_where_the_event_stands(ledger: LedgerAtHand) -> None:
    """The position of a receipt includes the event, and the state covers it when the receipt is told."""
    receipt = record(ledger, opt_out(), heard(ledger))
    assert ledger.folding.position.covers(receipt.position)
    (event,) = recorded_events(ledger)
    assert (event.event_id, event.occurred_at) == (receipt.event_id, receipt.recorded_at)
    assert not receipt.repeated


def test_a_repetition_has_the_receipt_of_the_first(ledger: LedgerAtHand) -> None:
    """The same id and content is told as repeated, with the time of the first, on either kind of log."""
    first = record(ledger, opt_out(), heard(ledger))
    again = record(ledger, opt_out(), heard(ledger, first.event_id))
    assert (again.event_id, again.recorded_at, again.repeated) == (first.event_id, first.recorded_at, True)
    assert again.position.covers(first.position)
    assert len(recorded_events(ledger)) == 1


def test_other_content_under_an_id_is_refused(ledger: LedgerAtHand) -> None:
    """The same id with other content is refused by its field, on either kind of log."""
    first = record(ledger, opt_out(), heard(ledger))
    with pytest.raises(Failure) as caught:
        record(ledger, opt_out(purpose="website.surveys"), heard(ledger, first.event_id))
    assert (caught.value.code, caught.value.field) == (ExitCode.REFUSED, "event_id")
    assert len(recorded_events(ledger)) == 1


def test_an_amendment_is_told_whether_it_stands(ledger: LedgerAtHand) -> None:
    """The receipt of an amendment is told after its fold, and of one that is void it says why."""
    command = PublishPolicy(policy_id="website", version=1, purposes=(Terms(key="a", mode="opt_out"),))
    first = record(ledger, command, heard(ledger))
    assert first.void is None
    again = record(ledger, command, heard(ledger, first.event_id))
    assert (again.repeated, again.void) == (True, None)


def test_a_race_that_is_lost_is_told_in_the_receipt(ledger: LedgerAtHand) -> None:
    """Where another writer publishes the version between the check and the append, the receipt says void."""
    ledger.catch_up()
    command = PublishPolicy(policy_id="website", version=1, purposes=(Terms(key="a", mode="opt_out"),))
    rival = PolicyAmended(
        event_id=ledger.new_id(),
        tenant="main",
        occurred_at=START,
        policy_id="website",
        version=1,
        effective_at=START,
    )

    class Rivalled:
        """The log, to which somebody else appends just before us."""

        deduplicates = ledger.log.deduplicates
        generation = ledger.log.generation

        def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
            """The rival's event, then ours."""
            return ledger.log.append([Proposal(rival), *proposals])[1:]

        def close(self) -> None:
            """Nothing of its own."""

    beside = LedgerAtHand(
        settings=ledger.settings,
        clock=ledger.clock,
        new_id=ledger.new_id,
        log=Rivalled(),
        source=ledger.source,
        store=ledger.store,
        folding=ledger.folding,
        content=ledger.content,
    )
    assert record(beside, command, heard(ledger)).void == "version_not_next"


class Silent:
    """A log that never hears of what becomes of an append."""

    deduplicates = True
    generation = str(uuid.UUID(int=0))

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        """Everything is unknown."""
        return tuple(Unknown(proposal.event.event_id, "no answer in 30 s") for proposal in proposals)

    def close(self) -> None:
        """Nothing to give back."""


def test_an_unknown_outcome_names_the_id_to_send_again(tmp_path: Path) -> None:
    """What may be recorded or not ends as unknown, and the message says how to send it again."""
    ledger = at_hand(tmp_path, log=Silent())
    event_id = ledger.new_id()
    with pytest.raises(Failure) as caught:
        record(ledger, opt_out(), heard(ledger, event_id))
    assert caught.value.code == ExitCode.UNKNOWN
    assert f"--event-id {event_id}" in caught.value.message


def test_lines_of_unknown_outcome_are_counted_and_told(tmp_path: Path) -> None:
    """An import tells each line of which it is unknown whether it was recorded."""
    ledger, faults = at_hand(tmp_path, log=Silent()), list[LineFault]()
    counts, _, _ = import_lines(
        Import(ledger.log, None, faults.append), [lines_of(choice(START), choice(START))]
    )
    assert dict(counts) == {"unknown": 2}
    assert [fault.number for fault in faults] == [1, 2]
    assert "import it again" in faults[0].message


@pytest.mark.parametrize(
    ("lines", "stopped_after"), [(UNSTORED_LINES_MAX - 1, None), (UNSTORED_LINES_MAX, UNSTORED_LINES_MAX)]
)
def test_an_import_stops_where_the_log_stores_nothing(
    lines: int, stopped_after: int | None, tmp_path: Path
) -> None:
    """A few lines of unknown outcome stop nothing; from the limit on the import tells where it gave up."""
    task = Import(at_hand(tmp_path, log=Silent()).log, None, lambda _: None)
    imported = import_lines(task, [lines_of(*(choice(START) for _ in range(lines)))])
    assert imported[:2] == ({"unknown": lines}, stopped_after)


def lines_of(*events: ChoiceMade) -> list[NumberedLine]:
    """Lines to import, recorded when they happened."""
    return [
        NumberedLine(number, format_line(Recorded(event, event.occurred_at)))
        for number, event in enumerate(events, start=1)
    ]


def test_both_sides_of_a_link_are_recorded(ledger: LedgerAtHand) -> None:
    """A link is one event for each side, and the receipt reaches as far as both and what they derive."""
    record(ledger, opt_out("browser"), heard(ledger))
    both = LinkIndividuals("browser", "account"), LinkIndividuals("account", "browser")
    receipt = record_both(ledger, both, heard(ledger))
    events = recorded_events(ledger)
    assert sorted(e.individual for e in events if type(e).__name__ == "IndividualsLinked") == [
        "account",
        "browser",
    ]
    assert [e.individual for e in events if e.event_id in receipt.derived] == ["account"]
    assert ledger.folding.position.covers(receipt.position)
    again = record_both(ledger, both, heard(ledger, receipt.event_id))
    assert (again.repeated, again.derived) == (True, receipt.derived)
    assert len(recorded_events(ledger)) == len(events)


def test_what_was_cut_off_before_the_derived_is_completed(ledger: LedgerAtHand) -> None:
    """A command that was killed after its own event writes the derived ones when it is sent again."""
    both = LinkIndividuals("browser", "account"), LinkIndividuals("account", "browser")
    record_both(ledger, both, heard(ledger))
    how = heard(ledger)
    alone = ChoiceMade(
        event_id=how.event_id,
        tenant="main",
        individual="browser",
        occurred_at=START,
        decision="opt_out",
        purposes=("website.email",),
    )
    ledger.log.append([Proposal(alone, heard_now=True)])
    receipt = record(ledger, opt_out("browser"), how)
    assert (receipt.repeated, len(receipt.derived)) == (True, 1)
    assert [e.individual for e in recorded_events(ledger) if e.medium == "link"] == ["account"]


def test_a_waiver_is_recorded_once(ledger: LedgerAtHand) -> None:
    """Each safeguard that the settings do without is put on record once in a ledger's life."""
    for _ in range(2):
        record_waivers(ledger, ("replication factor 1 instead of 3",))
    (waiver,) = recorded_events(ledger)
    assert isinstance(waiver, SafeguardWaived)
    assert waiver.tenant == LEDGER_TENANT
    record_waivers(ledger, ())
    assert len(recorded_events(ledger)) == 1


def test_whether_a_ledger_recorded_something_itself(ledger: LedgerAtHand) -> None:
    """Neither its beginning, nor a waiver, nor what was imported is its own; what it recorded is."""
    assert not holds_its_own(ledger.source)
    waive_knowledge(ledger, "a drill")
    before = START - SECOND
    ledger.log.append([Proposal(choice(before), before)])
    assert not holds_its_own(ledger.source)
    record(ledger, opt_out(), heard(ledger))
    assert holds_its_own(ledger.source)


def test_what_is_held_is_told(ledger: LedgerAtHand) -> None:
    """Held is what is folded with the same content; other content is a conflict, and the rest is new."""
    held_one, conflicting, new = choice(START), choice(START), choice(START)
    ledger.log.append([Proposal(held_one, START), Proposal(conflicting, START)])
    ledger.catch_up()
    changed = choice(START, purpose="website.other", event_id=conflicting.event_id)
    faults: list[LineFault] = []
    task = Import(ledger.log, held_by(ledger, refuse_recorded_at=False), faults.append)
    counts, _, _ = import_lines(task, [lines_of(held_one, changed, new)])
    assert dict(counts) == {"already_held": 1, "refused": 1, "recorded": 1}
    assert [(fault.number, fault.field) for fault in faults] == [(2, "event_id")]


def test_an_import_cuts_what_it_appends(tmp_path: Path) -> None:
    """No append is longer than the log takes, in events or in bytes, and none is lost between them."""
    sizes: list[int] = []

    class Counting:
        """A log that takes everything, and counts."""

        deduplicates = True
        generation = str(uuid.UUID(int=0))

        def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
            """Count, and refuse."""
            sizes.append(len(proposals))
            return tuple(
                Rejected(event_id=proposal.event.event_id, reason="clock", field="", message="")
                for proposal in proposals
            )

        def close(self) -> None:
            """Nothing to give back."""

    line = lines_of(choice(START))[0]
    task = Import(Counting(), None, lambda _: None)
    import_lines(task, [[line] * (BATCH_EVENTS_MAX + 1)])
    assert sizes == [BATCH_EVENTS_MAX, 1]
    sizes.clear()
    wide = NumberedLine(1, line.content + b" " * (BATCH_BYTES_MAX // 16))
    import_lines(task, [[wide] * 17])
    assert sizes == [16, 1]


def test_an_export_of_many_slices_is_in_one_order(tmp_path: Path) -> None:
    """Slices are merged by `recorded_at`, the beginning first, and every record is there once."""
    ledger = at_hand(tmp_path, partitions=4)
    for number in range(40):
        instant = START - (number % 7) * SECOND
        ledger.log.append([Proposal(choice(instant, f"person-{number}"), instant)])
    found = [entry for entry in exported(ledger.source) if isinstance(entry, Recorded)]
    assert isinstance(found[0].event, LedgerBegun)
    assert len({entry.event.event_id for entry in found}) == len(found) == 41
    by_slice: dict[Slice, list[str]] = {}
    for entry in found[1:]:
        slice_ = ledger.source.slice_of(entry.event.key.encode())
        by_slice.setdefault(slice_, []).append(entry.event.event_id)
    assert by_slice == log_order(ledger)


def log_order(ledger: LedgerAtHand) -> dict[Slice, list[str]]:
    """The ids of each slice of the individuals' stream, in the log's order."""
    from events.codec import decode  # noqa: PLC0415 - this function alone decodes

    order: dict[Slice, list[str]] = {}
    for record_ in ledger.source.read(ledger.source.start()):
        if record_.slice.stream == INDIVIDUALS:
            order.setdefault(record_.slice, []).append(decode(record_.value).event.event_id)
    return order


def test_an_export_ends_where_the_log_ended(tmp_path: Path) -> None:
    """What is appended while an export runs is not in it, however much that is."""
    ledger = at_hand(tmp_path)
    ledger.log.append([Proposal(choice(START, f"person-{n}"), START) for n in range(3)])
    entries = exported(ledger.source)
    first = next(entries)
    ledger.log.append([Proposal(choice(START, f"late-{n}"), START) for n in range(3)])
    assert isinstance(first, Recorded)
    assert len(list(entries)) == 3


def test_an_unreadable_record_does_not_stop_an_export(tmp_path: Path) -> None:
    """A record that cannot be read is named by its place, and those after it are given."""
    ledger = at_hand(tmp_path)
    memory = ledger.source
    assert isinstance(memory, MemoryLog)
    records = memory._records.slices[Slice(POLICIES, 0)]
    records.append(LogRecord(Slice(POLICIES, 0), len(records), b"main", b"nonsense"))
    ledger.log.append([Proposal(choice(START), START)])
    entries = list(exported(ledger.source))
    assert [entry.place for entry in entries if isinstance(entry, Unreadable)] == ["policies/0/1"]
    assert len(entries) == 3


def test_records_between_positions() -> None:
    """The distance of two positions is the sum over their slices, and never less than nothing."""
    generation, one, two = str(uuid.UUID(int=0)), Slice(INDIVIDUALS, 0), Slice(POLICIES, 0)
    near, far = Position.of(generation, [(one, 2), (two, 1)]), Position.of(generation, [(one, 9), (two, 4)])
    assert records_between(near, far) == 10
    assert records_between(None, far) == 13
    assert records_between(far, near) == 0


def test_a_ledger_is_in_a_folder_of_its_own() -> None:
    """Texts of a ledger in memory are in the folder that it was given."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = at_hand(Path(folder) / "content")
        digest = ledger.content.put(b"text")
        assert ledger.content.get(digest) == b"text"
