"""Fresh enough, or no: what is answered while a position is waited for, and what an operator is told."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from choice_ledger.exits import ExitCode
from choice_ledger.freshness import TENANT_WAITERS_MAX, WAIT_MS_MAX, Freshness
from choice_ledger.http.admission import TENANT
from choice_ledger.http.faults import problem_of
from consumers.following import WAITERS_MAX, Following, Standing, TooManyWaiting
from consumers.pursuits import Projecting
from events.streams import Position, PositionUnavailable, Slice
from ledger.log import LogFault
from projections.memory_store import MemoryStore
from tests.simulation.logs import RawLog, log_of
from tests.unit.people import amended, day, opted_out, told

AGE_MS_MAX = 2_000


class Desk:
    """A log that is followed by a thread, and a clock that the test sets."""

    def __init__(self) -> None:
        self.log: RawLog = log_of([amended(day(1)), told(day(2))])
        self.now_ms = 0.0
        self.following = Following(
            self.log,
            Projecting(self.log, MemoryStore()),
            clock_ms=lambda: self.now_ms,
            age_ms_max=AGE_MS_MAX,
        )
        self.freshness = Freshness(self.following, AGE_MS_MAX)

    def reached(self, after: Position | None, wait_ms: int = 5_000) -> str | None:
        """What is outside, once the position is waited for."""
        return asyncio.run(self._reached(after, wait_ms))

    async def _reached(self, after: Position | None, wait_ms: int) -> str | None:
        return await self.freshness.reached(after, wait_ms)

    def up(self) -> None:
        """Begin to follow, and wait until the state holds all."""
        self.following.start()
        self.following.catch_up(self.log.end())
        while self.freshness.outside() is not None:
            threading.Event().wait(0.001)


def test_a_state_of_which_nothing_is_known_is_stale() -> None:
    """Before the log's end was once asked for, and reached, nothing is fresh."""
    desk = Desk()
    assert desk.freshness.outside() == "stale"
    assert desk.reached(None) == "stale"
    assert desk.freshness.state().is_fresh is False
    assert desk.freshness.state().lag_records is None


@pytest.mark.parametrize(("age_ms", "outside"), [(AGE_MS_MAX, None), (AGE_MS_MAX + 0.5, "stale")])
def test_a_state_is_fresh_up_to_the_limit(age_ms: float, outside: str | None) -> None:
    """At the greatest age an answer may have it is given; past it, it is `stale`."""
    desk = Desk()
    desk.up()
    desk.following.stop()
    before = desk.following.age_ms()
    assert before == 0
    desk.now_ms = age_ms
    assert desk.freshness.outside() == outside
    assert desk.freshness.state().is_fresh is (outside is None)
    assert desk.reached(None) == outside


def test_a_position_that_is_reached_is_answered_at_once() -> None:
    """What is covered already is not waited for."""
    desk = Desk()
    desk.up()
    assert desk.reached(desk.log.end(), wait_ms=0) is None
    desk.following.stop()


def test_a_position_that_comes_is_waited_for() -> None:
    """The answer waits for what is being folded."""
    desk = Desk()
    desk.following.start()
    desk.log.put_event(opted_out(day(3)))
    assert desk.reached(desk.log.end()) is None
    desk.following.stop()


@pytest.mark.parametrize("wait_ms", [0, 20])
def test_a_position_that_does_not_come_is_stale(wait_ms: int) -> None:
    """A position beyond the log is waited for as long as the caller says; after that it is `stale`."""
    desk = Desk()
    desk.up()
    assert desk.reached(beyond(desk.log.end()), wait_ms) == "stale"
    desk.following.stop()


def test_no_wait_is_longer_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a caller says, the wait ends at the limit."""
    monkeypatch.setattr("choice_ledger.freshness.WAIT_MS_MAX", 20)
    desk = Desk()
    desk.up()
    begun = time.monotonic()
    assert desk.reached(beyond(desk.log.end()), wait_ms=10**9) == "stale"
    assert time.monotonic() - begun < WAIT_MS_MAX / 1_000
    desk.following.stop()


def beyond(position: Position) -> Position:
    """A position that is further in every slice."""
    ahead = ((slice_, offset + 1) for slice_, offset in position.as_dict().items())
    return Position.of(position.generation, ahead)


def test_a_position_of_another_ledger_is_never_waited_for() -> None:
    """A position of another generation is told as such at once."""
    desk = Desk()
    desk.up()
    other = Position("11111111-1111-4111-8111-111111111111", desk.log.end().offsets)
    assert desk.reached(other) == "wrong_generation"
    desk.following.stop()


def test_the_end_of_the_following_ends_the_wait() -> None:
    """A service that stops does not keep those who wait; they are told `stale`, not that it is reached."""
    desk = Desk()
    desk.up()

    async def wait_and_stop() -> str | None:
        waiting = asyncio.create_task(desk.freshness.reached(beyond(desk.log.end()), WAIT_MS_MAX))
        await asyncio.sleep(0.02)
        await asyncio.to_thread(desk.following.stop)
        return await asyncio.wait_for(waiting, 5)

    assert asyncio.run(wait_and_stop()) == "stale"


def test_too_many_who_wait_are_told_overloaded() -> None:
    """One call more than may wait ends as `overloaded`, with the limit."""
    desk = Desk()
    for _ in range(WAITERS_MAX):
        desk.following.when(beyond(desk.log.end()), lambda: None)
    with pytest.raises(TooManyWaiting) as caught:
        desk.reached(beyond(desk.log.end()))
    problem = problem_of(caught.value)
    assert (problem.kind, problem.beside) == ("overloaded", {"limit": WAITERS_MAX})


async def waiting_of(
    desk: Desk, tenant: str, count: int, after: Position
) -> "list[asyncio.Task[str | None]]":
    """So many calls of a tenant that wait for a position."""
    TENANT.set(tenant)
    tasks = [asyncio.create_task(desk._reached(after, 600)) for _ in range(count)]
    await asyncio.sleep(0.05)
    return tasks


def test_one_tenants_waiting_leaves_room_for_anothers() -> None:
    """At its share a tenant's calls wait; one more of it is refused, while another tenant's may wait."""
    desk = Desk()
    desk.freshness = Freshness(desk.following, AGE_MS_MAX, TENANT.get)
    desk.up()
    ahead = beyond(desk.log.end())

    async def scenario() -> list[str | BaseException | None]:
        flood = await waiting_of(desk, "flood", TENANT_WAITERS_MAX, ahead)
        with pytest.raises(TooManyWaiting, match=str(TENANT_WAITERS_MAX)):
            await (await waiting_of(desk, "flood", 1, ahead))[0]
        (calm,) = await waiting_of(desk, "calm", 1, ahead)
        assert not calm.done()
        ended = await asyncio.gather(*flood, calm, return_exceptions=True)
        (again,) = await waiting_of(desk, "flood", 1, ahead)
        return [*ended, await again]

    ended = asyncio.run(scenario())
    desk.following.stop()
    assert ended == ["stale"] * (TENANT_WAITERS_MAX + 2)


def test_a_position_of_no_slice_of_the_log_is_not_waited_for() -> None:
    """Made up slices, of which one text may name thousands, are stale at once, and held by nobody."""
    desk = Desk()
    desk.up()
    end = desk.log.end()
    made_up = Position.of(end.generation, [*end.as_dict().items(), (Slice("individuals", 9_999), 1)])
    began = time.monotonic()
    assert desk.reached(made_up, 5_000) == "stale"
    assert time.monotonic() - began < 2.0
    desk.following.stop()


def test_how_far_the_state_is_behind_is_told() -> None:
    """The lag is counted in records, to the end that was last asked for."""
    desk = Desk()
    desk.up()
    assert desk.freshness.state().lag_records == 0
    desk.following.stop()
    state = desk.freshness.state()
    assert (state.position, state.trouble, state.fault) == (desk.log.end(), None, None)


class Placed:
    """A following that stands as a test says."""

    def __init__(self, standing: Standing) -> None:
        self.position = standing.position
        self.standing: Callable[[], Standing] = lambda: standing


@pytest.mark.parametrize(
    ("trouble", "fault", "codes"),
    [
        (LogFault("away"), None, (ExitCode.UNAVAILABLE, None)),
        (None, PositionUnavailable("a hole"), (None, ExitCode.MISMATCH)),
    ],
)
def test_faults_are_told_as_they_end_a_command(
    trouble: Exception | None, fault: Exception | None, codes: tuple[ExitCode | None, ExitCode | None]
) -> None:
    """What is being tried again, and what ended the following, are told with the code that they come to."""
    log = log_of([amended(day(1)), told(day(2))])
    standing = Standing(log.start(), log.end(), 7.0, trouble, fault)
    state = Freshness(Placed(standing), AGE_MS_MAX).state()  # type: ignore[arg-type]  # all of it that is asked for
    told_codes = tuple(None if each is None else each.code for each in (state.trouble, state.fault))
    assert (told_codes, state.lag_records, state.age_ms) == (codes, 3, 7.0)
