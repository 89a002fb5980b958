"""The gate that every call passes: from raw headers to a caller, from ``receive`` to a bounded body, and from
a problem to an answer.

It knows ASGI alone, so that the framework's routes and the bare handlers of the hot path pass the same one.
A call costs it a few microseconds.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, MutableMapping
from time import perf_counter
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from choice_ledger.access import Caller, Scope
from choice_ledger.http.admission import TENANT
from choice_ledger.http.bodies import BODY_BYTES_MAX
from choice_ledger.http.faults import problem_of
from choice_ledger.http.problems import PROBLEM_MEDIA_TYPE, Fault, Problem
from choice_ledger.http.service import Service

_T = TypeVar("_T")
Headers: TypeAlias = dict[bytes, bytes]
RawHeaders: TypeAlias = list[tuple[bytes, bytes]]
Connection: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

REQUEST_ID_LENGTH_MAX: Final = 1_024
"""Characters of an ``X-Request-Id`` that is sent back; a longer one is taken for none."""

TOKEN_LENGTH_MAX: Final = 512
"""Characters of a bearer token; a longer one is refused unread."""

BODY_WAIT_S: Final = 30.0
"""How long a body may take to arrive, from its first byte to its last."""

VISIT: Final = "choice_ledger.visit"
"""Where a connection's ``Visit`` is kept in its scope."""

SINGLE_HEADERS: Final = (
    b"accept",
    b"authorization",
    b"content-length",
    b"content-type",
    b"idempotency-key",
    b"traceparent",
    b"x-request-id",
)
"""Headers that a call may carry once: of two, no two readers need take the same one."""

SAFE_HEADERS: Final[RawHeaders] = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
"""Headers of every answer: its type is what it says it is, and nobody keeps it."""

_ENCODER: Final = msgspec.json.Encoder()
_SENDABLE: Final = re.compile(rb"[\x20-\x7e\x80-\xff]{1,%d}" % REQUEST_ID_LENGTH_MAX)
_UUID_OR_TRACE: Final = re.compile(
    rb"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32}", re.ASCII
)
_JSON: Final = b"application/json"


class ClientGone(Exception):
    """The client closed the connection before its body was whole; there is nobody to answer."""


class Visit:
    """One call on its way through: its headers, its id, and what is known of it for the counts and the log.

    ``request_id`` stands in problems and in the log. ``echoed`` is what ``X-Request-Id`` answers: what the
    caller sent, which AuthZEN calls "an arbitrary string" (section 10.1.3). The two differ where the caller's
    is neither a UUID nor a trace id: anything else may spell a person's name, which no log may hold.
    """

    __slots__ = ("caller", "echoed", "headers", "is_head", "operation", "request_id", "since", "status")

    def __init__(
        self,
        raw_headers: Iterable[tuple[bytes, bytes]],
        new_id: Callable[[], str],
        operation: str = "unknown",
        *,
        is_head: bool = False,
    ) -> None:
        """Begin now. ``new_id`` makes the id of a call that brings none."""
        self.since = perf_counter()
        self.headers: Headers = dict(raw_headers)
        self.operation = operation
        self.is_head = is_head
        self.status = 0
        self.caller: Caller | None = None
        given = self.headers.get(b"x-request-id")
        if given is not None and _UUID_OR_TRACE.fullmatch(given):
            self.request_id, self.echoed = given.decode("ascii"), given
        else:
            self.request_id = new_id()
            is_told = given is not None and _SENDABLE.fullmatch(given) is not None
            self.echoed = given if given is not None and is_told else self.request_id.encode("ascii")

    @property
    def seconds(self) -> float:
        """How long the call has taken so far."""
        return perf_counter() - self.since


def check_single(raw_headers: Iterable[tuple[bytes, bytes]], headers: Headers) -> None:
    """Refuse a header that stands twice where one is meant. Raises Problem ``invalid_header``."""
    names = [name for name, _ in raw_headers]
    if len(names) == len(headers):
        return
    twice = [name for name in SINGLE_HEADERS if names.count(name) > 1]
    if twice:
        errors = [Fault(name.decode("ascii"), "stands more than once; send it once") for name in twice]
        raise Problem("invalid_header", errors=errors)


def admitted(
    service: Service, headers: Headers, scopes: frozenset[Scope], peer: str = "", calls: int = 1
) -> Caller:
    """Who calls: known by the token, within the rate (as ``calls`` calls), and with one of the scopes.

    ``peer`` is the address that the call came from. Whose call it is, is kept for where its work waits.
    Raises Problem: ``token_missing``, ``token_refused``, ``rate_limited``, ``scope_missing``.
    """
    caller = _known(service, headers)
    if caller is None:
        if wait_s := service.admission.failed(peer):
            raise Problem("rate_limited", "too many tokens were refused", retry_after_s=int(wait_s) + 1)
        raise Problem("token_refused")
    TENANT.set(caller.tenant)
    if wait_s := service.admission.take(caller.token_id, calls):
        raise Problem("rate_limited", retry_after_s=int(wait_s) + 1)
    if not caller.may(scopes):
        raise Problem("scope_missing", scopes=sorted(scopes))
    return caller


def check_no_query(scope: Connection) -> None:
    """Refuse a query where there are no parameters: it would go unheard. Raises ``invalid_parameter``."""
    if scope.get("query_string"):
        raise Problem(
            "invalid_parameter", errors=[Fault("", "has a query; this address takes no parameters")]
        )


def peer_of(scope: Connection) -> str:
    """The address that a call came from; empty over a Unix socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _known(service: Service, headers: Headers) -> Caller | None:
    """Who bears the call's token, if it is good. Raises Problem ``token_missing``."""
    given = headers.get(b"authorization")
    if given is None or given[:7].lower() != b"bearer " or not (token := given[7:].strip()):
        raise Problem("token_missing")
    if len(token) > TOKEN_LENGTH_MAX or not token.isascii():
        return None
    return service.credentials.caller_of(token.decode("ascii"), service.ledger.clock())


def check_media_type(headers: Headers, wanted: bytes = _JSON) -> None:
    """Hold the body against the one type that is read. Raises Problem ``unsupported_media_type``."""
    given = headers.get(b"content-type", b"")
    if b"content-encoding" in headers and headers[b"content-encoding"].strip().lower() != b"identity":
        raise Problem("unsupported_media_type", "a body with a Content-Encoding is not read")
    if given == wanted:
        return
    media_type, _, parameters = given.partition(b";")
    charset = parameters.strip().lower().replace(b'"', b"")
    if media_type.strip().lower() != wanted or charset not in {b"", b"charset=utf-8"}:
        raise Problem("unsupported_media_type", f"Send `Content-Type: {wanted.decode('ascii')}`.")


async def read_body(receive: Receive, headers: Headers, bytes_max: int = BODY_BYTES_MAX) -> bytes:
    """The body, whole. One that says itself that it is too large is refused unread.

    Raises Problem: ``body_too_large``, ``body_too_slow``; ClientGone.
    """
    length = headers.get(b"content-length", b"")
    if len(length) > 12 or (length.isdigit() and int(length) > bytes_max):
        raise Problem("body_too_large", limit=bytes_max)
    # Nearly every body is there already, and then costs no timer: a timer costs more than all the rest here.
    arriving = _arriving(receive, bytes_max).__await__()
    try:
        pending = next(arriving)
    except StopIteration as whole:
        return bytes(whole.value)
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            return await Resumed(arriving, pending)
    except TimeoutError:
        raise Problem("body_too_slow", limit_s=int(BODY_WAIT_S)) from None


class Resumed(Generic[_T]):
    """The rest of an awaitable that was tried once, and was found to wait for ``pending``."""

    __slots__ = ("_arriving", "_pending")

    def __init__(self, arriving: Generator[Any, Any, _T], pending: object) -> None:
        """Go on with what was tried."""
        self._arriving = arriving
        self._pending = pending

    def __await__(self) -> Generator[Any, Any, _T]:
        """Wait for what is pending, and then for the rest."""
        try:
            yield self._pending
        except BaseException:
            self._arriving.close()
            raise
        return (yield from self._arriving)


async def _arriving(receive: Receive, bytes_max: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            raise Problem("body_too_large", limit=bytes_max)
        if not message.get("more_body", False):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


async def send_answer(
    send: Send, visit: Visit, content: bytes, *, status: int = 200, media_type: bytes = _JSON
) -> None:
    """Answer a bare call."""
    visit.status = status
    headers = [
        (b"content-type", media_type),
        (b"content-length", b"%d" % len(content)),
        (b"x-request-id", visit.echoed),
        *SAFE_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def send_problem(send: Send, visit: Visit, problem: Problem) -> None:
    """Answer a call with a problem (RFC 9457)."""
    visit.status = problem.row.status
    content = _ENCODER.encode(problem.members(visit.request_id))
    headers = [
        (b"content-type", PROBLEM_MEDIA_TYPE.encode("ascii")),
        (b"content-length", b"%d" % len(content)),
        (b"x-request-id", visit.echoed),
        *SAFE_HEADERS,
        *((name.lower().encode(), value.encode()) for name, value in headers_of(problem).items()),
    ]
    await send({"type": "http.response.start", "status": problem.row.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def headers_of(problem: Problem) -> Mapping[str, str]:
    """The headers that belong to a problem: when to try again, what to authenticate with, what is allowed."""
    headers = dict(problem.headers)
    if problem.row.retry:
        headers["Retry-After"] = str(problem.retry_after_s)
    if problem.row.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def bare(
    service: Service,
    operation: str,
    *,
    scopes: frozenset[Scope],
    answer: Callable[[Visit, bytes], Awaitable[bytes]],
    bytes_max: int = BODY_BYTES_MAX,
    told_as: Callable[[Exception, str], Problem] = problem_of,
) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """A bare ASGI handler of POST with a JSON body: ``answer`` makes the JSON of a 200 from the body's bytes.

    What it raises ends as the problem that ``told_as`` makes of it and of the call's id. Each call is
    counted, and none is logged.
    """
    new_id, count = service.ledger.new_id, service.metrics.count

    async def handle(scope: Connection, receive: Receive, send: Send) -> None:
        visit = scope[VISIT] = Visit(scope["headers"], new_id, operation)
        try:
            check_single(scope["headers"], visit.headers)
            visit.caller = admitted(service, visit.headers, scopes, peer_of(scope))
            check_no_query(scope)
            check_media_type(visit.headers)
            raw = await read_body(receive, visit.headers, bytes_max)
            await send_answer(send, visit, await answer(visit, raw))
        except ClientGone:
            visit.status = 499
        except Exception as fault:  # noqa: BLE001 - whatever goes wrong is told as a problem
            await send_problem(send, visit, told_as(fault, visit.request_id))
        finally:
            count(operation, visit.status, visit.seconds)

    return handle
