"""Appends of many threads share commits, wait a bounded time, and are told the truth."""

import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.group_commit import GROUP_EVENTS_MAX, QUEUE_EVENTS_MAX, GroupCommit, _Turn
from ledger.log import LogFault, Outcome, Proposal, Rejected, Unknown
from tests.contract.sample_events import choice

WAIT_S = 10.0
EVENT = choice(0)


def stored(proposals: Sequence[Proposal]) -> list[Outcome]:
    """An outcome for each proposal; which kind does not matter here."""
    return [Unknown(proposal.event.event_id, "stored") for proposal in proposals]


class Gate:
    """A commit that waits until it is let through, and remembers how many events each group had."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)
        self.groups: list[int] = []

    def __call__(self, proposals: Sequence[Proposal]) -> list[Outcome]:
        self.groups.append(len(proposals))
        self.entered.release()
        assert self.open.wait(WAIT_S)
        return stored(proposals)


def waiting(group: GroupCommit, events: int) -> None:
    """Return when so many events wait."""
    until(lambda: group._waiting_events == events)


def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds, and fail if it never does."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_lone_caller_commits_in_its_own_thread() -> None:
    """With nobody else there, an append changes no thread."""
    threads: list[int] = []

    def commit(proposals: Sequence[Proposal]) -> list[Outcome]:
        threads.append(threading.get_ident())
        return stored(proposals)

    assert len(GroupCommit(commit).append([Proposal(EVENT)])) == 1
    assert threads == [threading.get_ident()]


def test_appends_that_wait_together_share_a_commit() -> None:
    """Whoever comes while a commit is under way is served by the next one, together, each with its own."""
    gate = Gate()
    group = GroupCommit(gate)
    events = [choice(0, f"person-{number}") for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(group.append, [Proposal(events[0])])
        assert gate.entered.acquire(timeout=WAIT_S)
        others = [pool.submit(group.append, [Proposal(event)]) for event in events[1:]]
        waiting(group, 5)
        gate.open.set()
        outcomes = [future.result(WAIT_S) for future in (first, *others)]
    assert gate.groups == [1, 5]
    assert [[outcome.event_id for outcome in one] for one in outcomes] == [[e.event_id] for e in events]


def test_a_group_has_a_largest_size() -> None:
    """Appends that fit into ``GROUP_EVENTS_MAX`` together share a commit; one event more waits for the
    next.
    """
    gate = Gate()
    group = GroupCommit(gate)
    half = [Proposal(EVENT)] * (GROUP_EVENTS_MAX // 2)
    with ThreadPoolExecutor(4) as pool:
        pool.submit(group.append, [Proposal(EVENT)])
        assert gate.entered.acquire(timeout=WAIT_S)
        for at, proposals in enumerate((half, half, [Proposal(EVENT)]), start=1):
            pool.submit(group.append, proposals)
            waiting(group, min(at * len(half), GROUP_EVENTS_MAX) + (at == 3))
        gate.open.set()
    assert gate.groups == [1, GROUP_EVENTS_MAX, 1]


def test_what_waits_is_bounded() -> None:
    """``QUEUE_EVENTS_MAX`` events may wait; one more is refused at once as ``overloaded``, and later is
    taken.
    """
    gate = Gate()
    group = GroupCommit(gate)
    fifth = [Proposal(EVENT)] * (QUEUE_EVENTS_MAX // 5)
    with ThreadPoolExecutor(6) as pool:
        pool.submit(group.append, [Proposal(EVENT)])
        assert gate.entered.acquire(timeout=WAIT_S)
        futures = [pool.submit(group.append, fifth) for _ in range(5)]
        waiting(group, QUEUE_EVENTS_MAX)
        (refusal,) = group.append([Proposal(EVENT)])
        assert isinstance(refusal, Rejected)
        assert refusal.reason == "overloaded"
        gate.open.set()
        assert sum(len(future.result(WAIT_S)) for future in futures) == QUEUE_EVENTS_MAX
    assert isinstance(group.append([Proposal(EVENT)])[0], Unknown)


def test_who_waits_too_long_for_a_turn_is_refused() -> None:
    """An append whose turn does not come before the deadline is taken back, and is never committed."""
    gate = Gate()
    group = GroupCommit(gate, deadline_s=0.1)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(group.append, [Proposal(EVENT)])
        assert gate.entered.acquire(timeout=WAIT_S)
        (outcome,) = group.append([Proposal(EVENT)])
        gate.open.set()
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, gate.groups) == ("overloaded", [1])


def test_who_waits_too_long_for_a_commit_is_told_unknown() -> None:
    """An append that another thread is committing when the deadline passes ends unknown."""
    gate = Gate()
    group = GroupCommit(gate, deadline_s=0.3)
    first_commit = threading.Event()

    def commit(proposals: Sequence[Proposal]) -> list[Outcome]:
        if len(proposals) == 1:
            assert first_commit.wait(WAIT_S)
            return stored(proposals)
        return gate(proposals)

    group._commit = commit
    with ThreadPoolExecutor(3) as pool:
        pool.submit(group.append, [Proposal(EVENT)])
        until(lambda: group._is_led and group._waiting_events == 0)
        leading = pool.submit(group.append, [Proposal(EVENT)])
        waiting(group, 1)
        following = pool.submit(group.append, [Proposal(EVENT)])
        waiting(group, 2)
        first_commit.set()
        (outcome,) = following.result(WAIT_S)
        assert isinstance(outcome, Unknown)
        assert "same event_id" in outcome.message
        assert not leading.done()
        gate.open.set()


def test_a_commit_that_breaks_leaves_nobody_waiting() -> None:
    """When a commit ends in a fault, its leader has the fault, the others of the group end unknown, and the
    next append is served.
    """
    begun = threading.Event()
    gate = Gate()
    faults = [False, True, False]

    def commit(proposals: Sequence[Proposal]) -> list[Outcome]:
        if faults.pop(0):
            raise ZeroDivisionError
        begun.set()
        return gate(proposals)

    group = GroupCommit(commit)
    with ThreadPoolExecutor(3) as pool:
        pool.submit(group.append, [Proposal(EVENT)])
        assert begun.wait(WAIT_S)
        futures = []
        for number in (1, 2):
            futures.append(pool.submit(group.append, [Proposal(EVENT)]))
            waiting(group, number)
        gate.open.set()
        with pytest.raises(ZeroDivisionError):
            futures[0].result(WAIT_S)
        (outcome,) = futures[1].result(WAIT_S)
    assert isinstance(outcome, Unknown)
    assert group.append([Proposal(EVENT)])[0] == stored([Proposal(EVENT)])[0]


def test_an_interrupted_wait_leaves_the_queue() -> None:
    """A caller that is interrupted (Ctrl-C) while it waits takes its append back, and the others go on."""
    gate = Gate()
    group = GroupCommit(gate)
    main = threading.main_thread().ident
    assert main is not None
    with ThreadPoolExecutor(1) as pool:
        pool.submit(group.append, [Proposal(EVENT)])
        assert gate.entered.acquire(timeout=WAIT_S)
        threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            group.append([Proposal(EVENT)])
        gate.open.set()
    assert group.append([Proposal(EVENT)]) != ()
    assert gate.groups == [1, 1]


def test_an_abandoned_lead_is_passed_on() -> None:
    """A caller that is interrupted just as it is to lead takes its append back, and the next one leads."""
    group = GroupCommit(stored)
    first, second = _Turn([Proposal(EVENT)]), _Turn([Proposal(EVENT)])
    first.leads = group._is_led = second.waking.acquire()
    group._queue.extend((first, second))
    group._waiting_events = 2
    group._abandon(first)
    assert (list(group._queue), group._waiting_events) == ([second], 1)
    assert second.leads
    assert not second.waking.locked()


def test_closing_waits_for_what_is_under_way() -> None:
    """``close`` returns when the appends under way have ended, and later ones raise LogFault."""
    gate = Gate()
    group = GroupCommit(gate)
    with ThreadPoolExecutor(2) as pool:
        appending = pool.submit(group.append, [Proposal(EVENT)])
        assert gate.entered.acquire(timeout=WAIT_S)
        closing = pool.submit(group.close)
        until(lambda: group._is_closed)
        assert not closing.done()
        gate.open.set()
        closing.result(WAIT_S)
        assert appending.done()
    with pytest.raises(LogFault, match="closed"):
        group.append([Proposal(EVENT)])


def test_sixty_four_threads_are_all_served() -> None:
    """64 threads with 200 appends each are served each time, with their own outcomes, in fewer commits."""
    commits: list[int] = []

    def commit(proposals: Sequence[Proposal]) -> list[Outcome]:
        commits.append(len(proposals))
        time.sleep(0.000_1)
        return stored(proposals)

    group = GroupCommit(commit)
    events = [choice(0, f"person-{number}") for number in range(64)]

    def work(number: int) -> set[str]:
        return {group.append([Proposal(events[number])])[0].event_id for _ in range(200)}

    with ThreadPoolExecutor(64) as pool:
        assert list(pool.map(work, range(64))) == [{event.event_id} for event in events]
    assert sum(commits) == 64 * 200
    assert len(commits) < 64 * 200 / 2
