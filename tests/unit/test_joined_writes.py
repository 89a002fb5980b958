"""Writes of one turn are sent together, in their order, and nothing of them is lost or late."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, cast

import pytest
import uvloop

from choice_ledger.http.joined_writes import JOINED_BYTES_MAX, JoinedWrites


class Sent:
    """A transport that keeps what it was given, each write by itself."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.ended = ""

    def write(self, data: bytes) -> None:
        assert not self.ended
        self.writes.append(data)

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    def is_closing(self) -> bool:
        return bool(self.ended)

    def get_extra_info(self, name: str) -> str:
        return name

    def pause_reading(self) -> None:
        self.writes.append(b"(paused)")

    def resume_reading(self) -> None:
        self.writes.append(b"(resumed)")

    def get_write_buffer_size(self) -> int:
        return 7


async def turn() -> None:
    """Let the loop go round once."""
    await asyncio.sleep(0)


def in_a_loop(work: Callable[[Sent, JoinedWrites], Any]) -> Sent:
    """Do something with a transport inside a running loop."""

    async def run() -> Sent:
        sent = Sent()
        joined = JoinedWrites(cast("asyncio.Transport", sent), asyncio.get_running_loop())
        await work(sent, joined)
        return sent

    return uvloop.run(run())


def test_a_head_and_its_body_are_sent_together() -> None:
    """Two writes of one turn are one, and it is sent with the second."""

    async def work(sent: Sent, joined: JoinedWrites) -> None:
        joined.write(b"head")
        assert sent.writes == []
        joined.write(b"body")
        assert sent.writes == [b"headbody"]
        await turn()

    assert in_a_loop(work).writes == [b"headbody"]


def test_a_head_that_nothing_follows_is_sent_when_the_turn_is_over() -> None:
    """A stream whose first chunk takes long, and a `100 Continue`, do not wait for more."""

    async def work(sent: Sent, joined: JoinedWrites) -> None:
        joined.write(b"head")
        await turn()
        assert sent.writes == [b"head"]
        joined.write(b"chunk")
        await turn()

    assert in_a_loop(work).writes == [b"head", b"chunk"]


def test_a_body_without_bytes_sends_the_head() -> None:
    """An empty answer is its head, and an empty write alone is nothing."""

    async def work(_sent: Sent, joined: JoinedWrites) -> None:
        joined.write(b"head")
        joined.write(b"")
        joined.write(b"")
        await turn()

    assert in_a_loop(work).writes == [b"head"]


@pytest.mark.parametrize(("size", "writes"), [(JOINED_BYTES_MAX, 1), (JOINED_BYTES_MAX + 1, 2)])
def test_what_is_long_is_not_copied(size: int, writes: int) -> None:
    """Up to the limit the two are one write; past it the second goes by itself, after the first."""

    async def work(_sent: Sent, joined: JoinedWrites) -> None:
        joined.write(b"head")
        joined.write(b"x" * size)

    sent = in_a_loop(work)
    assert len(sent.writes) == writes
    assert b"".join(sent.writes) == b"head" + b"x" * size


def test_closing_sends_what_is_held_first() -> None:
    """Whoever refuses a connection writes and closes in one turn: the refusal arrives."""

    async def work(_sent: Sent, joined: JoinedWrites) -> None:
        joined.write(b"refused")
        joined.close()
        await turn()

    sent = in_a_loop(work)
    assert (sent.writes, sent.ended) == ([b"refused"], "closed")


def test_aborting_sends_nothing_more() -> None:
    """A connection that is broken off gets nothing that was held, now or later."""

    async def work(_sent: Sent, joined: JoinedWrites) -> None:
        joined.write(b"head")
        joined.abort()
        await turn()

    sent = in_a_loop(work)
    assert (sent.writes, sent.ended) == ([], "aborted")


def test_what_is_held_for_a_client_that_has_gone_is_dropped() -> None:
    """A transport that closed by itself meanwhile is not written to."""

    async def work(sent: Sent, joined: JoinedWrites) -> None:
        joined.write(b"head")
        sent.close()
        await turn()

    assert in_a_loop(work).writes == []


def test_bytes_stay_in_their_order_whatever_the_turns() -> None:
    """A thousand writes of random sizes, in random turns: the client reads what was written."""
    dice, written = random.Random(3), list[bytes]()

    async def work(sent: Sent, joined: JoinedWrites) -> None:
        for number in range(1_000):
            data = b"%d," % number * dice.choice((0, 1, 1, 3, 30_000 if number % 100 == 0 else 5))
            written.append(data)
            joined.write(data)
            if dice.random() < 0.4:
                await turn()
                assert b"".join(sent.writes) == b"".join(written)
        await turn()

    assert b"".join(in_a_loop(work).writes) == b"".join(written)


def test_everything_else_is_the_transports_own() -> None:
    """Flow control, what is known of the connection and its state are asked of the transport below."""

    async def work(_sent: Sent, joined: JoinedWrites) -> None:
        joined.pause_reading()
        joined.resume_reading()
        assert joined.get_extra_info("peername") == "peername"
        assert joined.get_write_buffer_size() == 7
        assert not joined.is_closing()

    assert in_a_loop(work).writes == [b"(paused)", b"(resumed)"]
