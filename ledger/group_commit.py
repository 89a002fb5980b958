"""Many callers, one commit: appends that wait at the same time share a transaction and its sync.

There is no writer thread. The first caller leads: it commits what waits, its own append included, then wakes
whom it served and hands the lead to the first of those who came meanwhile. So a lone writer never changes
threads, and while one group is being synced to disk the next one gathers.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from events.instants import SECOND
from ledger.log import APPEND_DEADLINE, LogFault, Outcome, Proposal, Rejected, Unknown

QUEUE_EVENTS_MAX: Final = 50_000
"""Events that may wait for their commit, of all callers together. What would come on top is refused."""

GROUP_EVENTS_MAX: Final = 10_000
"""Events that share one transaction, unless one append alone has more."""

DEADLINE_S: Final = APPEND_DEADLINE / SECOND
"""Seconds after which a caller no longer waits for others."""

Commit: TypeAlias = Callable[[Sequence[Proposal]], Sequence[Outcome]]
"""Store proposals in one transaction: an outcome for each, in order. Called by one thread at a time."""

_OVERLOADED: Final = "was refused, because too many events wait already; send it again later"
_WAITED: Final = "was refused, because nothing was stored for too long; send it again later"
_UNTOLD: Final = "was being stored when the wait for it ended; send it again with the same event_id"


class _Turn:
    """One append that waits: what it brings, what came of it, and the lock by which it is woken."""

    __slots__ = ("is_taken", "leads", "outcomes", "proposals", "waking")

    def __init__(self, proposals: Sequence[Proposal]) -> None:
        self.proposals = proposals
        self.outcomes: Sequence[Outcome] | None = None
        self.waking = threading.Lock()
        self.is_taken = False
        self.leads = False


class GroupCommit:
    """Gathers appends of many threads into groups, and commits one group after the other."""

    def __init__(self, commit: Commit, deadline_s: float = DEADLINE_S) -> None:
        """``commit`` is only ever called by one thread at a time."""
        self._commit = commit
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._queue: deque[_Turn] = deque()
        self._waiting_events = 0
        self._is_led = False
        self._is_closed = False

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        """Commit proposals together with other callers'; an outcome for each. Raises LogFault if closed."""
        turn = _Turn(proposals)
        with self._lock:
            if self._is_closed:
                raise LogFault("this log is closed; open it again")
            if self._waiting_events + len(proposals) > QUEUE_EVENTS_MAX:
                return refused(proposals, _OVERLOADED)
            self._queue.append(turn)
            self._waiting_events += len(proposals)
            turn.leads, self._is_led = not self._is_led, True
            if not turn.leads:
                turn.waking.acquire()
        if not turn.leads and (given_up := self._await(turn)) is not None:
            return given_up
        if turn.leads:
            self._lead()
        return unknown(proposals) if turn.outcomes is None else tuple(turn.outcomes)

    def close(self) -> None:
        """Take no more appends, and return when those under way have ended."""
        with self._lock:
            self._is_closed = True
            self._idle.wait_for(lambda: not self._is_led)

    def _await(self, turn: _Turn) -> tuple[Outcome, ...] | None:
        """Wait to be served or to lead; the outcomes if the wait took too long."""
        try:
            return None if turn.waking.acquire(timeout=self._deadline_s) else self._give_up(turn)
        except BaseException:
            self._abandon(turn)
            raise

    def _abandon(self, turn: _Turn) -> None:
        """Leave the queue after an interruption (Ctrl-C), and pass on the lead if it was given meanwhile."""
        with self._lock:
            if not turn.is_taken:
                self._queue.remove(turn)
                self._waiting_events -= len(turn.proposals)
                if turn.leads:
                    self._hand_over()

    def _give_up(self, turn: _Turn) -> tuple[Outcome, ...] | None:
        """End a wait that took too long; nothing if the turn has come in this very moment."""
        with self._lock:
            if turn.leads or turn.outcomes is not None:
                return None
            if turn.is_taken:
                return unknown(turn.proposals)
            self._queue.remove(turn)
            self._waiting_events -= len(turn.proposals)
            return refused(turn.proposals, _WAITED)

    def _lead(self) -> None:
        with self._lock:
            group = self._take_group()
        try:
            self._serve(group)
        finally:
            with self._lock:
                self._hand_over()
            for turn in group:
                if not turn.leads:
                    turn.waking.release()

    def _take_group(self) -> list[_Turn]:
        """The turns that wait, from the first one on, as far as they fit into one transaction."""
        group: list[_Turn] = []
        events = 0
        while self._queue:
            events += len(self._queue[0].proposals)
            if group and events > GROUP_EVENTS_MAX:
                break
            turn = self._queue.popleft()
            turn.is_taken = True
            self._waiting_events -= len(turn.proposals)
            group.append(turn)
        return group

    def _serve(self, group: Sequence[_Turn]) -> None:
        if len(group) == 1:
            group[0].outcomes = self._commit(group[0].proposals)
            return
        outcomes = self._commit([proposal for turn in group for proposal in turn.proposals])
        at = 0
        for turn in group:
            turn.outcomes = outcomes[at : at + len(turn.proposals)]
            at += len(turn.proposals)

    def _hand_over(self) -> None:
        """Let the first who waits lead. It wakes before those who were served, so the disk is not idle."""
        if self._queue:
            self._queue[0].leads = True
            self._queue[0].waking.release()
        else:
            self._is_led = False
            self._idle.notify_all()


def refused(proposals: Sequence[Proposal], message: str) -> tuple[Outcome, ...]:
    """The outcomes of an append of which nothing was stored, nor will be, because there is too much to do."""
    return tuple(
        Rejected(event_id=proposal.event.event_id, reason="overloaded", field="event", message=message)
        for proposal in proposals
    )


def unknown(proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
    """The outcomes of an append whose storing may end after the caller's wait, or never."""
    return tuple(Unknown(proposal.event.event_id, _UNTOLD) for proposal in proposals)
