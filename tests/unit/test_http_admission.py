"""How much is let in: buckets that never lend, bounded memory, and some threads for everybody else."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choice_ledger.http.admission import (
    FAILURES_AT_ONCE_MAX,
    FAILURES_PER_S_MAX,
    TENANT,
    TENANT_THREADS_MAX,
    TENANT_WAITING_MAX,
    THREADS_MAX,
    WAITING_MAX,
    Admission,
)
from choice_ledger.http.buckets import BUCKETS_MAX, Buckets
from choice_ledger.http.problems import Problem


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def buckets(rate_per_s: float, burst: int) -> tuple[Buckets, Clock]:
    clock = Clock()
    return Buckets(rate_per_s, burst, clock), clock


def test_a_full_bucket_gives_its_burst_and_no_more() -> None:
    """As many as the burst are let in at once; the next one is told when it would be."""
    kept, _ = buckets(2.0, 5)
    assert [kept.take("a") for _ in range(5)] == [0.0] * 5
    assert kept.take("a") == pytest.approx(0.5)


def test_waiting_for_as_long_as_told_is_enough() -> None:
    """After the time that it was told a call is let in, and just before it is not."""
    kept, clock = buckets(4.0, 1)
    kept.take("a")
    wait_s = kept.take("a")
    clock.now_s += wait_s * 0.99
    assert kept.take("a") > 0
    clock.now_s += wait_s * 0.011
    assert kept.take("a") == 0


def test_a_refused_call_takes_nothing() -> None:
    """Whoever tries too early does not wait longer for it."""
    kept, clock = buckets(1.0, 1)
    kept.take("a")
    for _ in range(100):
        assert kept.take("a") == pytest.approx(1.0)
    clock.now_s += 1.0
    assert kept.take("a") == 0


def test_each_key_has_a_bucket_of_its_own() -> None:
    """One key's flood leaves the others as they were."""
    kept, _ = buckets(1.0, 3)
    while kept.take("flood") == 0:
        pass
    assert [kept.take("calm") for _ in range(3)] == [0.0] * 3


def test_a_large_amount_is_taken_as_a_full_bucket() -> None:
    """More than a bucket ever holds is let in by a full one, and empties it: nothing waits for ever."""
    kept, clock = buckets(10.0, 100)
    assert kept.take("a", 1_000_000) == 0
    assert kept.take("a", 1_000_000) == pytest.approx(10.0)
    clock.now_s += 10.0
    assert kept.take("a", 100) == 0


def test_a_bucket_never_holds_more_than_the_burst() -> None:
    """A year of silence saves nothing up."""
    kept, clock = buckets(1_000.0, 2)
    kept.take("a")
    clock.now_s += 365 * 86_400
    assert [kept.take("a") > 0 for _ in range(3)] == [False, False, True]


STEPS = st.lists(st.tuples(st.floats(0, 3), st.integers(1, 12)), max_size=60)


@given(STEPS, st.floats(0.5, 20), st.integers(1, 10))
def test_no_more_is_let_in_than_burst_and_rate_allow(
    steps: list[tuple[float, int]], rate_per_s: float, burst: int
) -> None:
    """Over any time at most the burst and what the rate gave are let in, and no wait is negative."""
    kept, clock = buckets(rate_per_s, burst)
    let_in = 0
    for passed_s, amount in steps:
        clock.now_s += passed_s
        wait_s = kept.take("a", amount)
        assert 0 <= wait_s <= burst / rate_per_s
        let_in += min(amount, burst) if wait_s == 0 else 0
        assert let_in <= burst + rate_per_s * (clock.now_s - 1_000.0) + 1e-6


def test_there_are_so_many_buckets_and_no_more() -> None:
    """The bucket that was used longest ago makes room; those used since are kept as they were."""
    kept, _ = buckets(1e-9, 1)
    for number in range(BUCKETS_MAX):
        kept.take(str(number))
    assert len(kept) == BUCKETS_MAX
    kept.take("0")
    kept.take("one more")
    assert len(kept) == BUCKETS_MAX
    assert kept.take("0") > 0
    assert kept.take("1") == 0


def test_the_memory_of_a_flood_goes_away() -> None:
    """Buckets that are full again are forgotten as others come."""
    kept, clock = buckets(1.0, 2)
    for number in range(1_000):
        kept.take(str(number))
    clock.now_s += 60
    for number in range(400):
        kept.take(f"later {number}")
    assert len(kept) <= 400


def admission() -> tuple[Admission, Clock]:
    clock = Clock()
    return Admission(10.0, 20, clock), clock


def test_failures_of_one_address_are_limited() -> None:
    """So many at once, so many a second, and another address fails as often as it likes."""
    door, clock = admission()
    assert [door.failed("192.0.2.1") for _ in range(FAILURES_AT_ONCE_MAX)] == [0.0] * FAILURES_AT_ONCE_MAX
    assert door.failed("192.0.2.1") == pytest.approx(1 / FAILURES_PER_S_MAX)
    assert door.failed("192.0.2.2") == 0
    clock.now_s += 1
    assert [door.failed("192.0.2.1") > 0 for _ in range(FAILURES_PER_S_MAX + 1)] == [
        *[False] * FAILURES_PER_S_MAX,
        True,
    ]


@pytest.mark.parametrize(
    ("peer", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
        ("un:known", "un:known", True),
        ("un:known", "un:other", False),
    ],
)
def test_a_network_of_64_bits_is_one_address(peer: str, other: str, same: bool) -> None:
    """Whoever has an IPv6 network cannot fail from each of its addresses anew."""
    door, _ = admission()
    for _ in range(FAILURES_AT_ONCE_MAX):
        door.failed(peer)
    assert (door.failed(other) > 0) == same


def test_failures_and_calls_have_buckets_of_their_own() -> None:
    """What fails costs no token anything."""
    door, _ = admission()
    for _ in range(FAILURES_AT_ONCE_MAX + 1):
        door.failed("same")
    assert door.take("same") == 0


class Held:
    """A pool whose work waits until it is let go, and how much of it was under way at once."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(THREADS_MAX)
        self.door, _ = admission()
        self.let_go = threading.Event()
        self.under_way = self.most = 0
        self._lock = threading.Lock()

    def work(self) -> None:
        with self._lock:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.let_go.wait(20)
        with self._lock:
            self.under_way -= 1

    def ask(self, tenant: str, count: int = 1) -> "list[asyncio.Task[None]]":
        """So many pieces of a tenant's work, none of which ends yet."""
        TENANT.set(tenant)
        return [asyncio.ensure_future(self.door.bounded(self.pool, self.work)) for _ in range(count)]


@pytest.fixture
def held() -> Iterator[Held]:
    """A pool that holds its work, let go at the end whatever happens."""
    pool = Held()
    yield pool
    pool.let_go.set()
    pool.pool.shutdown()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def within_a_time() -> None:
        await asyncio.wait_for(scenario(), 20)

    asyncio.run(within_a_time())


async def settled(held: Held, count: int) -> None:
    """Wait until so much is under way, and give more a moment to begin, if it could."""
    while held.under_way < count:  # noqa: ASYNC110 - what is waited for happens in threads
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)


def test_one_tenant_leaves_threads_to_the_others(held: Held) -> None:
    """However much one tenant asks, another's work is under way at once."""

    async def scenario() -> None:
        flood = held.ask("flood", TENANT_WAITING_MAX)
        await settled(held, TENANT_THREADS_MAX)
        assert held.under_way == TENANT_THREADS_MAX
        calm = held.ask("calm", THREADS_MAX - TENANT_THREADS_MAX)
        await settled(held, THREADS_MAX)
        assert held.under_way == THREADS_MAX
        held.let_go.set()
        await asyncio.gather(*flood, *calm)

    run(scenario)
    assert held.most == THREADS_MAX


def test_so_much_of_one_tenant_waits_and_no_more(held: Held) -> None:
    """One too many is refused as overloaded, with the limit; when all was done there is room again."""

    async def scenario() -> None:
        flood = held.ask("flood", TENANT_WAITING_MAX)
        await settled(held, TENANT_THREADS_MAX)
        (late,) = held.ask("flood")
        with pytest.raises(Problem) as refusal:
            await late
        assert (refusal.value.kind, refusal.value.beside) == ("overloaded", {"limit": TENANT_WAITING_MAX})
        held.let_go.set()
        await asyncio.gather(*flood)
        await asyncio.gather(*held.ask("flood", TENANT_WAITING_MAX))

    run(scenario)


def test_so_much_of_all_tenants_waits_and_no_more(held: Held) -> None:
    """Together the tenants have a limit too, and what it refuses takes no place."""

    async def scenario() -> None:
        waiting = held.ask("one", TENANT_WAITING_MAX) + held.ask("two", WAITING_MAX - TENANT_WAITING_MAX)
        await settled(held, TENANT_THREADS_MAX)
        (late,) = held.ask("three")
        with pytest.raises(Problem) as refusal:
            await late
        assert refusal.value.beside == {"limit": WAITING_MAX}
        held.let_go.set()
        await asyncio.gather(*waiting)
        await asyncio.gather(*held.ask("three", TENANT_WAITING_MAX))

    run(scenario)


def test_work_that_fails_or_is_given_up_frees_its_place() -> None:
    """Faults and calls whose client went away leave nothing behind."""

    async def scenario() -> None:
        door, _ = admission()
        with ThreadPoolExecutor(1) as pool:
            for _ in range(3):
                with pytest.raises(ZeroDivisionError):
                    await door.bounded(pool, lambda: 1 // 0)
            task = asyncio.ensure_future(door.bounded(pool, lambda: threading.Event().wait(0.05)))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await door.bounded(pool, lambda: 7) == 7
            (queue,) = door._queues.values()
            assert (queue.waiting, dict(queue._by_tenant), queue._turns) == (0, {}, {})

    run(scenario)
