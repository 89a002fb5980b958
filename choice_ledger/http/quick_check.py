"""The quickest way through ``POST /v1/check``: for a call that is plain in every respect.

A service that checks before each use sends the same kind of call all day: one token, a compact body, a
question about the present, asked before and not changed since. Such a call is answered here in a few
microseconds. It takes no step that the other way does not take; where any step does not end at once with
yes, the whole call is handed to the other way (``choice_ledger.http.gate.bare``), which begins anew and has
the last word. So nothing is refused here, and nothing is answered that it would not answer.
"""

from collections.abc import Generator
from time import perf_counter
from typing import Any, Final

from msgspec import UNSET

from choice_ledger.http.check_bodies import Writer, read_plain
from choice_ledger.http.endpoints import AsgiApp
from choice_ledger.http.gate import (
    SAFE_HEADERS,
    TOKEN_LENGTH_MAX,
    Connection,
    Message,
    Receive,
    Resumed,
    Send,
)
from choice_ledger.http.service import Service

QUICK_BODY_BYTES_MAX: Final = 4_096
"""Bytes of a body that is read here."""

TOKENS_KEPT_MAX: Final = 1_024
"""``Authorization`` headers whose token is kept as text. Whether it is good is asked for every call."""

_BEARER: Final = b"Bearer "
_JSON: Final = b"application/json"
_CONTENT_TYPE: Final = (b"content-type", _JSON)


class QuickCheck:
    """The handler of one service. For the event loop's thread alone."""

    def __init__(self, service: Service, otherwise: AsgiApp) -> None:
        """Answer from a service; ``otherwise`` takes every call that is not plain."""
        self._otherwise = otherwise
        self._caller_of = service.credentials.caller_of
        self._clock = service.ledger.clock
        self._new_id = service.ledger.new_id
        self._outside = service.freshness.outside
        self._given_again = service.checks.given_again
        self._take = service.admission.take
        self._metrics = service.metrics
        self._writer = Writer()
        self._tokens: dict[bytes, str] = {}

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Answer a call, as ASGI calls it."""
        since = perf_counter()
        raw_headers = scope["headers"]
        headers: dict[bytes, bytes] = dict(raw_headers)
        if (
            len(headers) != len(raw_headers)
            or headers.get(b"content-type") != _JSON
            or b"content-encoding" in headers
            or b"x-request-id" in headers
            or scope.get("query_string")
        ):
            await self._otherwise(scope, receive, send)
            return
        arriving = _Arriving(receive)
        raw = arriving.whole()
        content = None if raw is None else self._answered(headers.get(b"authorization", b""), raw)
        if content is None:
            await self._otherwise(scope, arriving.receive, send)
            return
        answer_headers = [
            _CONTENT_TYPE,
            (b"content-length", b"%d" % len(content)),
            (b"x-request-id", self._new_id().encode("ascii")),
            *SAFE_HEADERS,
        ]
        await send({"type": "http.response.start", "status": 200, "headers": answer_headers})
        await send({"type": "http.response.body", "body": content})
        self._metrics.count("check", 200, perf_counter() - since)

    def _answered(self, authorization: bytes, raw: bytes) -> bytes | None:
        """The answer to a body; none also where making it fails, which the other way then tells and logs."""
        try:
            return self._answer(authorization, raw)
        except Exception:  # noqa: BLE001 - nothing is decided here
            return None

    def _answer(self, authorization: bytes, raw: bytes) -> bytes | None:
        """The answer to a body; none for whatever is not plain, and then nothing is counted or taken."""
        token = self._tokens.get(authorization) or self._token(authorization)
        caller = None if token is None else self._caller_of(token, self._clock())
        if caller is None or "check" not in caller.scopes:
            return None
        asked = read_plain(raw)
        if asked is None or self._outside() is not None:
            return None
        recipient = None if asked.recipient is UNSET else asked.recipient
        data = () if asked.data is UNSET else asked.data
        given = self._given_again(caller.tenant, asked.individual, asked.purpose, recipient, data)
        if given is None or self._take(caller.token_id):
            return None
        decision, position = given
        self._metrics.hits += 1
        self._metrics.decided(decision.reason)
        return self._writer.again(decision, position)

    def _token(self, authorization: bytes) -> str | None:
        """The token of a header that is written as nearly all are; kept once it was found good."""
        token = authorization[len(_BEARER) :]
        if authorization[: len(_BEARER)] != _BEARER or len(token) > TOKEN_LENGTH_MAX or not token.isascii():
            return None
        text = token.decode("ascii")
        if text != text.strip() or self._caller_of(text, self._clock()) is None:
            return None
        if len(self._tokens) >= TOKENS_KEPT_MAX:
            self._tokens.clear()
        self._tokens[authorization] = text
        return text


class _Arriving:
    """A body that may have arrived. Whoever takes the call over receives what was received here."""

    __slots__ = ("_message", "_pending", "_receive", "_waiting")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._message: Message | None = None
        self._pending: object = None
        self._waiting: Generator[Any, Any, Message] | None = None

    def whole(self) -> bytes | None:
        """The body, where it is there already, whole and short."""
        waiting = self._receive().__await__()
        try:
            self._pending = next(waiting)
        except StopIteration as arrived:
            message: Message = arrived.value
            self._message = message
            raw: bytes = message.get("body", b"")
            is_whole = message["type"] == "http.request" and not message.get("more_body", False)
            return raw if is_whole and len(raw) <= QUICK_BODY_BYTES_MAX else None
        self._waiting = waiting
        return None

    async def receive(self) -> Message:
        """``receive`` of ASGI: first what was received, or waited for, already."""
        message, self._message = self._message, None
        if message is not None:
            return message
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            return await Resumed(waiting, self._pending)
        return await self._receive()
