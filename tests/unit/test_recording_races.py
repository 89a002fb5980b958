"""Recording where others record too: whose receipt a repeated id has, and which id is to be sent again."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from choice_ledger.exits import EventIdTaken, ExitCode, Failure, OutcomeUnknown
from choice_ledger.http.faults import problem_of
from choice_ledger.ledger_at_hand import LedgerAtHand
from choice_ledger.recording import Receipt, record, record_both
from consumers.following import Following
from consumers.pursuits import Projecting
from events.streams import Position
from ledger.commands import LinkIndividuals, PublishPolicy, propose
from ledger.links import links_of
from ledger.log import Acknowledged, EventLog, Outcome, Proposal, Rejected, Unknown
from projections.projector import CatchUpStalled
from tests.unit.test_recording import at_hand, heard, opt_out

THREADS = 8
BOTH = LinkIndividuals("browser", "account"), LinkIndividuals("account", "browser")


class Interposed:
    """A log in front of another: ``before`` is done once before an append, ``end`` may replace outcomes."""

    def __init__(
        self,
        log: EventLog,
        before: Callable[[], object] = lambda: None,
        end: Callable[[Proposal, Outcome], Outcome] = lambda _, outcome: outcome,
    ) -> None:
        self._log = log
        self._before = before
        self._end = end
        self.deduplicates = log.deduplicates
        self.generation = log.generation

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        """What the other log answers, or what the test makes of it."""
        before, self._before = self._before, lambda: None
        before()
        outcomes = self._log.append(proposals)
        return tuple(self._end(*told) for told in zip(proposals, outcomes, strict=True))

    def close(self) -> None:
        """Nothing of its own."""


@pytest.fixture
def repeating(tmp_path: Path) -> LedgerAtHand:
    """A ledger on a log that takes a repeated id as often as it comes."""
    return at_hand(tmp_path, partitions=3, deduplicates=False)


def rivalled(ledger: LedgerAtHand, rival: Callable[[], object]) -> LedgerAtHand:
    """The same ledger, into which somebody else records just before we append."""
    return replace(ledger, log=Interposed(ledger.log, rival))


def test_the_receipt_is_that_of_the_first_in_log_order(repeating: LedgerAtHand) -> None:
    """Of two calls with one id that raced both have the receipt of the event that stands."""
    how, first = heard(repeating), list[Receipt]()
    ledger = rivalled(repeating, lambda: first.append(record(repeating, opt_out(), how)))
    second = record(ledger, opt_out(), how)
    assert msgspec.structs.replace(second, repeated=False) == first[0]
    assert (first[0].repeated, second.repeated) == (False, True)
    assert record(repeating, opt_out(), how) == second


def test_so_it_is_with_policies(repeating: LedgerAtHand) -> None:
    """The same holds on the policies' stream: both are told that the version stands."""
    command = PublishPolicy(policy_id="website", version=1)
    how, first = heard(repeating), list[Receipt]()
    ledger = rivalled(repeating, lambda: first.append(record(repeating, command, how)))
    second = record(ledger, command, how)
    assert msgspec.structs.replace(second, repeated=False) == first[0]
    assert (second.repeated, second.void) == (True, None)
    assert record(repeating, command, how) == second


def test_other_content_that_was_faster_keeps_the_id(repeating: LedgerAtHand) -> None:
    """Of two calls with one id and two contents the later in log order is refused, though it was appended."""
    how = heard(repeating)
    ledger = rivalled(repeating, lambda: record(repeating, opt_out(purpose="hr"), how))
    with pytest.raises(EventIdTaken) as caught:
        record(ledger, opt_out(), how)
    assert (caught.value.code, caught.value.field) == (ExitCode.REFUSED, "event_id")
    assert record(repeating, opt_out(purpose="hr"), how).repeated
    other = PublishPolicy(policy_id="website", version=1, title="another")
    named = heard(repeating)
    ledger = rivalled(
        repeating, lambda: record(repeating, PublishPolicy(policy_id="website", version=1), named)
    )
    with pytest.raises(EventIdTaken):
        record(ledger, other, named)


def test_a_taken_id_is_a_problem_of_its_own(tmp_path: Path) -> None:
    """On a log that finds it itself other content is refused alike, and a call is told `event_id_taken`."""
    ledger = at_hand(tmp_path)
    how = heard(ledger)
    record(ledger, opt_out(), how)
    with pytest.raises(EventIdTaken) as caught:
        record(ledger, opt_out(purpose="hr"), how)
    problem = problem_of(caught.value)
    assert (problem.kind, problem.row.status, problem.errors[0].field) == ("event_id_taken", 409, "event_id")


def followed(ledger: LedgerAtHand) -> tuple[LedgerAtHand, Following]:
    """The same ledger, its state followed by a thread."""
    clock_ms = iter(range(10**9)).__next__
    following = Following(
        ledger.source, Projecting(ledger.source, ledger.store), clock_ms=clock_ms, age_ms_max=2_000
    )
    following.start()
    return replace(ledger, folding=following), following


@pytest.mark.parametrize("deduplicates", [True, False])
def test_many_threads_with_one_id_have_one_receipt(tmp_path: Path, deduplicates: bool) -> None:
    """However many send one command at once, it is one event: new for one of them, repeated for the rest."""
    ledger, following = followed(at_hand(tmp_path, partitions=3, deduplicates=deduplicates))
    for individual in ("ana", "bo", "cy"):
        how, gate = heard(ledger), threading.Barrier(THREADS)

        def send(who: str = individual, how: object = how, gate: threading.Barrier = gate) -> Receipt:
            gate.wait()
            return record(ledger, opt_out(who), how)  # type: ignore[arg-type]  # a default that is bound early

        with ThreadPoolExecutor(THREADS) as pool:
            receipts = [sent.result() for sent in [pool.submit(send) for _ in range(THREADS)]]
        assert len({(each.recorded_at, each.position) for each in receipts}) == 1
        assert sorted(each.repeated for each in receipts) == [False] + [True] * (THREADS - 1)
        assert len(ledger.store.history(f"main/{individual}")) == 1
    following.stop()


def unknown_for(*types: str) -> Callable[[Proposal, Outcome], Outcome]:
    """No answer to events of these types."""

    def end(proposal: Proposal, outcome: Outcome) -> Outcome:
        event = proposal.event
        named = {type(event).__name__, event.medium}
        return Unknown(event.event_id, "no answer in 30 s") if named & set(types) else outcome

    return end


def test_an_unknown_outcome_bears_the_id(tmp_path: Path) -> None:
    """The id to send again stands in the fault itself, and in the problem that a call is told."""
    ledger = at_hand(tmp_path)
    ledger = replace(ledger, log=Interposed(ledger.log, end=unknown_for("ChoiceMade")))
    how = heard(ledger)
    with pytest.raises(OutcomeUnknown) as caught:
        record(ledger, opt_out(), how)
    assert (caught.value.event_id, caught.value.why) == (how.event_id, "no answer in 30 s")
    problem = problem_of(caught.value)
    assert (problem.kind, problem.beside) == ("unknown", {"event_id": how.event_id})


def linked(folder: Path) -> LedgerAtHand:
    """A ledger in which a browser and an account are linked."""
    ledger = at_hand(folder)
    record_both(ledger, BOTH, heard(ledger))
    return ledger


@pytest.mark.parametrize("reason", ["", "storage"])
def test_what_follows_from_a_choice_is_completed_by_its_id(tmp_path: Path, reason: str) -> None:
    """Where a derived opt-out is unknown, or was not stored, the id to send again is that of the choice."""
    ledger = linked(tmp_path)

    def end(proposal: Proposal, outcome: Outcome) -> Outcome:
        if proposal.event.medium != "link":
            return outcome
        name = proposal.event.event_id
        if not reason:
            return Unknown(name, "no answer in 30 s")
        return Rejected(event_id=name, reason=reason, field="event", message="was refused")

    how = heard(ledger)
    with pytest.raises(OutcomeUnknown) as caught:
        record(replace(ledger, log=Interposed(ledger.log, end=end)), opt_out("browser"), how)
    assert caught.value.event_id == how.event_id
    again = record(ledger, opt_out("browser"), how)
    assert (again.repeated, len(again.derived)) == (True, 1)


def test_the_other_side_of_a_link_is_completed_by_its_id(tmp_path: Path) -> None:
    """Where the second of two sides is unknown the id to send again is that of the first."""
    ledger = at_hand(tmp_path)
    seen: list[str] = []

    def end(proposal: Proposal, outcome: Outcome) -> Outcome:
        seen.append(proposal.event.event_id)
        return outcome if len(seen) == 1 else Unknown(proposal.event.event_id, "no answer in 30 s")

    how = heard(ledger)
    with pytest.raises(OutcomeUnknown) as caught:
        record_both(replace(ledger, log=Interposed(ledger.log, end=end)), BOTH, how)
    assert caught.value.event_id == how.event_id
    assert record_both(ledger, BOTH, how).repeated


def test_one_id_used_for_two_individuals_derives_for_each(tmp_path: Path) -> None:
    """An event id is one event of one individual: two who use one id each have their opt-out travel."""
    ledger = at_hand(tmp_path)
    for browser in ("browser", "telephone"):
        pair = LinkIndividuals(browser, "account"), LinkIndividuals("account", browser)
        record_both(ledger, pair, heard(ledger))
    how = heard(ledger)
    receipts = [record(ledger, opt_out(browser), how) for browser in ("browser", "telephone")]
    assert [len(receipt.derived) for receipt in receipts] == [1, 1]
    assert receipts[0].derived != receipts[1].derived
    derived = [each for each in ledger.history("main/account") if each.event.medium == "link"]
    assert [each.event.event_id for each in derived] == [r.derived[0] for r in receipts]


def test_one_id_used_for_two_links_of_an_individual_makes_both(tmp_path: Path) -> None:
    """The other sides of two links that use one id are two events, so that both links stand on both sides."""
    ledger = at_hand(tmp_path)
    how = heard(ledger)
    for browser in ("browser", "telephone"):
        record_both(ledger, (LinkIndividuals(browser, "account"), LinkIndividuals("account", browser)), how)
    assert {link.other for link in links_of(ledger.history("main/account"))} == {"browser", "telephone"}


def test_a_refusal_of_what_follows_is_not_told_as_one_of_the_whole(tmp_path: Path) -> None:
    """Where a derived opt-out is refused the choice itself is recorded, and nobody is told otherwise."""
    ledger = linked(tmp_path)

    def end(proposal: Proposal, outcome: Outcome) -> Outcome:
        if proposal.event.medium != "link":
            return outcome
        name = proposal.event.event_id
        return Rejected(event_id=name, reason="id_conflict", field="event_id", message="is taken")

    how = heard(ledger)
    with pytest.raises(OutcomeUnknown) as caught:
        record(replace(ledger, log=Interposed(ledger.log, end=end)), opt_out("browser"), how)
    assert caught.value.event_id == how.event_id
    assert ledger.find_of_individual("main/browser", how.event_id) is not None


class Behind:
    """A folding that never comes as far as it is asked to."""

    def __init__(self, ledger: LedgerAtHand) -> None:
        self.catalogue = ledger.catalogue
        self.position = ledger.folding.position

    def catch_up(
        self, to: Position | None = None, *, on_progress: Callable[[Position], None] | None = None
    ) -> Position:
        """Give up, where there is anything to fold."""
        del on_progress
        if to is not None:
            raise CatchUpStalled("the state is behind the log")
        return self.position


def test_what_is_not_folded_in_time_is_unknown(tmp_path: Path) -> None:
    """An event that was acknowledged and not folded may be sent again: what came of it nobody could say."""
    ledger = at_hand(tmp_path)
    how = heard(ledger)
    with pytest.raises(OutcomeUnknown, match="not folded yet") as caught:
        record(replace(ledger, folding=Behind(ledger)), opt_out(), how)
    assert caught.value.event_id == how.event_id
    assert record(ledger, opt_out(), how).repeated


@pytest.mark.parametrize("reason", ["overloaded", "storage", "clock"])
def test_what_the_log_cannot_take_now_is_no_fault_of_the_caller(tmp_path: Path, reason: str) -> None:
    """A refusal that may pass is told as unavailable, to be sent again; nothing of it is recorded."""
    ledger = at_hand(tmp_path)

    class Full:
        """A log that takes nothing for that reason."""

        deduplicates = True
        generation = ledger.log.generation

        def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
            """Refuse all."""
            return tuple(
                Rejected(event_id=p.event.event_id, reason=reason, field="event", message="was refused")
                for p in proposals
            )

        def close(self) -> None:
            """Nothing."""

    with pytest.raises(Failure, match="nothing is recorded") as caught:
        record(replace(ledger, log=Full()), opt_out(), heard(ledger))
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert problem_of(caught.value).kind == "unavailable"


def test_where_an_event_stands_is_told(repeating: LedgerAtHand) -> None:
    """Of a repeated id the first place in the log is told; of an id that nobody used, none."""
    how = heard(repeating)
    proposal = propose(opt_out(), how, repeating.clock(), repeating.catalogue)
    assert isinstance(proposal, Proposal)
    assert repeating.standing(proposal.event) is None
    outcomes = [repeating.log.append([proposal])[0] for _ in range(3)]
    repeating.catch_up()
    standing = repeating.standing(proposal.event)
    assert standing is not None
    first = outcomes[0]
    assert isinstance(first, Acknowledged)
    assert (standing.position, standing.recorded.recorded_at) == (first.position, first.recorded_at)
    assert repeating.find(proposal.event) == standing.recorded
