"""The quickest way through a check: it answers as the thorough way would, and hands over all else."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from choice_ledger.http import quick_check
from choice_ledger.http.checking import check
from choice_ledger.http.opening import open_service
from choice_ledger.http.quick_check import QUICK_BODY_BYTES_MAX, TOKENS_KEPT_MAX, QuickCheck
from choice_ledger.http.service import Service
from choice_ledger.settings import Settings
from choice_ledger.wiring import new_id, now, token_file
from events.instants import DAY
from tests.simulation.opt_out_trial import PURPOSE, change_mind, prepare

BODY = b'{"individual":"ana","purpose":"%b"}' % PURPOSE.encode()
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Asking:
    """A service, a token, and calls that count how many were handed over."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service = service
        self.tokens = token_file(settings)
        self.token_id = new_id()
        self.token = self._token(self.token_id, "check")
        self.handed_over = 0
        self.thorough = check(replace(service, tracing=object()))  # type: ignore[arg-type]  # Any will do.
        self.quick = QuickCheck(service, self._hand_over)

    def _token(self, token_id: str, scope: str) -> str:
        at = now()
        return self.tokens.create(
            token_id=token_id,
            name="tester",
            tenant="main",
            scopes=(scope,),  # type: ignore[arg-type]  # The scope is one of those that there are.
            now=at,
            expires_at=at + DAY,
        )

    def other_token(self, scope: str) -> str:
        """A token with one scope."""
        return self._token(new_id(), scope)

    async def _hand_over(self, scope: Any, receive: Any, send: Any) -> None:
        self.handed_over += 1
        await self.thorough(scope, receive, send)

    def scope(self, *more: tuple[bytes, bytes], query: bytes = b"", token: str = "") -> dict[str, Any]:
        """The scope of a plain call, with more headers."""
        headers = [
            (b"host", b"127.0.0.1"),
            (b"content-type", b"application/json"),
            (b"authorization", b"Bearer " + (token or self.token).encode()),
        ]
        return {"headers": [*headers, *more], "query_string": query, "client": ("127.0.0.1", 1)}

    async def call(self, scope: dict[str, Any], receive: Receive) -> tuple[int, bytes]:
        """The status and the body that a call gets."""
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.quick(scope, receive, send)  # type: ignore[arg-type]  # Messages are dictionaries.
        if not sent:
            return 0, b""
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

    async def ask(self, body: bytes = BODY, *more: tuple[bytes, bytes], **scope: Any) -> tuple[int, bytes]:
        """The same, for a body that has arrived."""
        return await self.call(self.scope(*more, **scope), arrived(body))

    async def warmed(self) -> tuple[int, bytes]:
        """The answer, once asking again is quick: the first call reads the store, the second decides."""
        await self.ask()
        answer = await self.ask()
        assert self.handed_over == 2
        return answer


def arrived(*pieces: bytes) -> Receive:
    """``receive`` of a call whose body is there, in so many pieces."""
    left = list(pieces)

    async def receive() -> dict[str, Any]:
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    return receive


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    """A service that knows Ana, who was told and may opt out."""
    settings = Settings(home=str(tmp_path))
    with open_service(settings, lambda: False) as service:
        prepare(service.ledger, ["ana"])
        yield Asking(service, settings)


def test_what_was_asked_before_is_answered_quickly_and_alike(asking: Asking) -> None:
    """Once it was decided a call takes the thorough way no more, and both answer the same bytes."""

    async def run() -> None:
        first = await asking.warmed()
        assert await asking.ask() == first
        assert await asking.ask(BODY.replace(b":", b" :\n")) == first
        assert asking.handed_over == 2
        assert first[0] == 200

    uvloop.run(run())


def test_an_opt_out_is_never_answered_from_before_it(asking: Asking) -> None:
    """A hundred changes of mind: after each receipt the next answer is the new one, by whichever way."""

    async def run() -> None:
        for number in range(100):
            decision = ("opt_out", "opt_in")[number % 2]
            change_mind(asking.service.ledger, "ana", decision)
            for _ in range(4):
                status, content = await asking.ask()
                assert status == 200
                assert content.startswith(b'{"permitted":%b' % (b"false", b"true")[number % 2])
        assert 100 <= asking.handed_over <= 200

    uvloop.run(run())


@pytest.mark.parametrize(
    "more",
    [
        (b"x-request-id", b"01a20adf-7a44-7471-a9aa-16098ee8b851"),
        (b"content-encoding", b"gzip"),
        (b"authorization", b"Bearer another"),
        (b"accept", b"*/*"),
    ],
)
def test_headers_that_mean_something_are_handed_over(asking: Asking, more: tuple[bytes, bytes]) -> None:
    """An id to send back, a coding, and a header that stands twice; one that changes nothing is not."""

    async def run() -> None:
        await asking.warmed()
        before = asking.handed_over
        await asking.ask(BODY, more)
        assert asking.handed_over - before == (more[0] != b"accept")

    uvloop.run(run())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (BODY[:-1] + b',"at":"2026-05-03T09:00:00Z"}', 200),
        (BODY[:-1] + b',"known_at":null}', 200),
        (BODY[:-1] + b',"wait_ms":5}', 200),
        (BODY[:-1] + b',"individual":"ana"}', 400),
        (BODY[:-1] + b',"individual":"\\u0061na"}', 400),
        (BODY[:-1], 400),
        (b"", 400),
        (BODY.replace(b"ana", b"a/b"), 422),
        (BODY[:-1] + b',"x":1}', 422),
        (BODY.ljust(QUICK_BODY_BYTES_MAX + 1), 200),
    ],
)
def test_bodies_that_are_not_plain_are_handed_over_whole(asking: Asking, body: bytes, status: int) -> None:
    """Whoever takes the call over gets every byte of it, and answers as it always does."""

    async def run() -> None:
        await asking.warmed()
        before = asking.handed_over
        assert (await asking.ask(body))[0] == status
        assert asking.handed_over == before + 1

    uvloop.run(run())


def test_a_body_is_read_up_to_the_limit(asking: Asking) -> None:
    """At the limit it is still answered quickly."""

    async def run() -> None:
        first = await asking.warmed()
        before = asking.handed_over
        assert await asking.ask(BODY.ljust(QUICK_BODY_BYTES_MAX)) == first
        assert asking.handed_over == before

    uvloop.run(run())


def test_a_body_in_pieces_or_late_is_handed_over_whole(asking: Asking) -> None:
    """What was received, or waited for, already is not lost and not read twice."""

    async def late(pieces: list[bytes]) -> tuple[int, bytes]:
        ready = arrived(*pieces)

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0.001)
            return await ready()

        return await asking.call(asking.scope(), receive)

    async def run() -> None:
        first = await asking.ask()
        assert await asking.call(asking.scope(), arrived(BODY[:9], BODY[9:])) == first
        assert await late([BODY]) == first
        assert await late([BODY[:9], BODY[9:20], BODY[20:]]) == first
        assert asking.handed_over == 4

    uvloop.run(run())


def test_nobody_is_answered_who_has_gone(asking: Asking) -> None:
    """A connection that was closed before its body came is left alone, and a late one that is broken off."""

    async def run() -> None:
        async def gone() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def never() -> dict[str, Any]:
            await asyncio.sleep(60)
            return {}

        assert await asking.call(asking.scope(), gone) == (0, b"")
        calling = asyncio.ensure_future(asking.call(asking.scope(), never))
        await asyncio.sleep(0.01)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling

    uvloop.run(run())


def test_a_token_that_ends_ends_here_too(asking: Asking) -> None:
    """Revoked by another process, a token that answered a moment ago is refused within a second or so."""

    async def run() -> None:
        await asking.warmed()
        assert (await asking.ask())[0] == 200
        assert asking.handed_over == 2
        asking.tokens.revoke(asking.token_id, now())
        await asyncio.sleep(1.1)
        assert (await asking.ask())[0] == 401

    uvloop.run(run())


def test_only_good_tokens_with_the_scope_are_answered(asking: Asking) -> None:
    """Another scope, an unknown token, another scheme, a trailing blank: the thorough way says what it is."""

    async def run() -> None:
        await asking.warmed()
        assert (await asking.ask(token=asking.other_token("audit")))[0] == 403
        assert (await asking.ask(token="clt_unknown"))[0] == 401
        assert (await asking.ask(token=asking.token + " "))[0] == 200
        basic = asking.scope()
        basic["headers"][2] = (b"authorization", b"Basic abc")
        assert (await asking.call(basic, arrived(BODY)))[0] == 401
        del basic["headers"][2]
        assert (await asking.call(basic, arrived(BODY)))[0] == 401

    uvloop.run(run())


def test_no_more_tokens_are_kept_than_the_limit(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit all are forgotten and looked up anew; none that was refused is kept."""
    assert TOKENS_KEPT_MAX >= 3
    monkeypatch.setattr(quick_check, "TOKENS_KEPT_MAX", 3)

    async def run() -> None:
        for number in range(5):
            assert (await asking.ask(token=asking.other_token("check")))[0] == 200
            await asking.ask(token=f"clt_unknown{number}")
            assert len(asking.quick._tokens) == (1, 2, 3, 1, 2)[number]

    uvloop.run(run())


def test_a_call_too_many_is_refused(tmp_path: Path) -> None:
    """Each call takes from the token's rate once, whichever way it goes."""
    settings = Settings(home=str(tmp_path), rate_per_s=0.001, rate_burst=5)

    async def run(asking: Asking) -> None:
        statuses = [(await asking.ask())[0] for _ in range(6)]
        assert statuses == [200] * 5 + [429]

    with open_service(settings, lambda: False) as service:
        prepare(service.ledger, ["ana"])
        uvloop.run(run(Asking(service, settings)))


def test_a_state_that_is_too_old_is_handed_over(tmp_path: Path) -> None:
    """What was answered a moment ago is `stale` once nobody knows whether it is still so."""
    settings = Settings(home=str(tmp_path), freshness_ms_max=60_000)

    async def run(asking: Asking, service: Service) -> None:
        assert b"not_opted_out" in (await asking.warmed())[1]
        assert b"not_opted_out" in (await asking.ask())[1]
        assert asking.handed_over == 2
        service.freshness._age_ms_max = -1
        assert b"stale" in (await asking.ask())[1]

    with open_service(settings, lambda: False) as service:
        prepare(service.ledger, ["ana"])
        uvloop.run(run(Asking(service, settings), service))


def test_what_fails_here_is_told_by_the_other_way(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in the quick way answers nothing: the call is answered as if there were no quick way."""

    async def run() -> None:
        first = await asking.warmed()
        monkeypatch.setattr(asking.quick, "_given_again", lambda *_: 1 / 0)
        assert await asking.ask() == first
        assert asking.handed_over == 3

    uvloop.run(run())


def test_calls_are_counted_alike(asking: Asking) -> None:
    """The counts of calls, decisions and facts at hand grow by one for each call, whichever way it went."""

    async def run() -> None:
        await asking.warmed()
        metrics = asking.service.metrics
        before = (metrics._calls["check", 200], metrics._decisions["not_opted_out"], metrics.hits)
        await asking.ask()
        assert asking.handed_over == 2
        after = (metrics._calls["check", 200], metrics._decisions["not_opted_out"], metrics.hits)
        assert [each - was for each, was in zip(after, before, strict=True)] == [1, 1, 1]

    uvloop.run(run())
