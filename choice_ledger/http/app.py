"""The application: the table of endpoints as routes of Litestar, and what every call goes through.

Each call is, in this order: given a request id, held against the table, authenticated, held against rate and
scope, read within its limits, answered; whatever goes wrong ends as a problem (RFC 9457). A bare endpoint of
the hot path is found by its address alone, before the framework, and looks after all of this itself.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final, cast

import msgspec
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException, LitestarException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from choice_ledger.http.addresses import Addresses, path_of, query_of
from choice_ledger.http.bodies import read_json
from choice_ledger.http.endpoints import TEXT, AsgiApp, Call, Endpoint, Reply
from choice_ledger.http.faults import problem_of
from choice_ledger.http.gate import (
    SAFE_HEADERS,
    VISIT,
    ClientGone,
    Connection,
    Message,
    Receive,
    Send,
    Visit,
    admitted,
    check_media_type,
    check_single,
    peer_of,
    read_body,
    send_problem,
)
from choice_ledger.http.observing import Observer
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.http.service import Service
from choice_ledger.http.table import ENDPOINTS

CLIENT_GONE: Final = 499
"""What is counted as the status of a call whose client went away before it could be answered."""

BROKEN_OFF: Final = 599
"""What is counted as the status of a call whose answer had to be broken off."""

_ENCODER: Final = msgspec.json.Encoder()


class BrokenOff(Exception):
    """An answer ended before it was whole. The connection is closed, so that the client sees it too."""


class Application:
    """The ASGI application of a service."""

    def __init__(self, service: Service, endpoints: Sequence[Endpoint] = ENDPOINTS) -> None:
        """Serve the endpoints of a table."""
        self._service = service
        self._observer = Observer(service.metrics)
        self._addresses = Addresses(endpoints)
        self._bare = {e.path: (e.method, self._traced(e.asgi(service))) for e in endpoints if e.asgi}
        self._answer = self._traced(self._visited)
        self._litestar = Litestar(
            [_route(endpoint, service) for endpoint in endpoints if endpoint.handler],
            openapi_config=None,
            logging_config=None,
            exception_handlers={Exception: _raised},
        )

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Answer one connection, as ASGI calls it."""
        if scope["type"] == "http":
            method, app = self._bare.get(scope["path"], _NO_APP)
            try:
                await (app if method == scope["method"] else self._answer)(scope, receive, send)
            except asyncio.CancelledError:
                await _tell_stopped(scope, send)
        elif scope["type"] == "lifespan":
            await self._litestar(cast("Any", scope), cast("Any", receive), cast("Any", send))
        else:
            await send({"type": "websocket.close", "code": 1008})

    @property
    def routes(self) -> frozenset[tuple[str, str]]:
        """The method and the path of everything that is routed, the paths as the table writes them."""
        framework = {
            (method, route.path.replace(":str}", "}"))
            for route in self._litestar.routes
            for method in getattr(route, "methods", ())
            if method != "OPTIONS"
        }
        return frozenset(framework | {(method, path) for path, (method, _) in self._bare.items()})

    def _traced(self, app: AsgiApp) -> AsgiApp:
        tracing = self._service.tracing
        if tracing is None:
            return app

        async def traced(scope: Connection, receive: Receive, send: Send) -> None:
            with tracing.call(scope, lambda: cast("Visit | None", scope.get(VISIT))):
                await app(scope, receive, send)

        return traced

    async def _visited(self, scope: Connection, receive: Receive, send: Send) -> None:
        is_head = scope["method"] == "HEAD"
        visit = scope[VISIT] = Visit(scope["headers"], self._service.ledger.new_id, is_head=is_head)
        with self._observer.watching(visit):
            await self._answered(visit, scope, receive, _told(visit, send))

    async def _answered(self, visit: Visit, scope: Connection, receive: Receive, send: Send) -> None:
        """Answer a call, whatever happens. Once an answer has begun, only breaking it off is left."""
        try:
            check_single(scope["headers"], visit.headers)
            methods = self._addresses.methods(scope["raw_path"])
            method = _method(scope["method"], methods, visit)
            if method == "OPTIONS":
                await _send_options(send, methods)
                return
            # The path goes on as it was sent: decoded here, a slash within a segment would divide it.
            inner = {**scope, "method": method, "path": scope["raw_path"].decode("latin-1")}
            await self._litestar(cast("Any", inner), cast("Any", receive), cast("Any", send))
        except ClientGone:
            visit.status = CLIENT_GONE
        except Exception as fault:  # noqa: BLE001 - whatever goes wrong is told as a problem
            problem = problem_of(_plain(fault), visit.request_id)
            if visit.status:
                visit.status = BROKEN_OFF
                raise BrokenOff from None
            await send_problem(send, visit, problem)


def application(service: Service) -> Application:
    """The ASGI application of a service."""
    return Application(service)


async def _nothing(_scope: Connection, _receive: Receive, _send: Send) -> None:
    raise AssertionError("no method is empty")


_NO_APP: Final[tuple[str, AsgiApp]] = ("", _nothing)


def _method(asked: str, methods: frozenset[str], visit: Visit) -> str:
    """The method by which a call is answered. Raises Problem: ``not_found``, ``method_not_allowed``."""
    if not methods:
        raise Problem("not_found")
    if asked not in methods:
        raise Problem("method_not_allowed", headers={"Allow": ", ".join(sorted(methods))})
    if asked == "OPTIONS":
        visit.operation = "options"
    return "GET" if asked == "HEAD" else asked


async def _tell_stopped(scope: Connection, send: Send) -> None:
    """End a call that the stopping server has cancelled: with a problem, as long as nothing was sent."""
    visit: Visit | None = scope.get(VISIT)
    if visit is None or visit.status:
        raise BrokenOff from None
    await send_problem(send, visit, Problem("stopped"))


async def _send_options(send: Send, methods: frozenset[str]) -> None:
    headers = [(b"allow", ", ".join(sorted(methods)).encode("ascii"))]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _told(visit: Visit, send: Send) -> Send:
    """``send``, which adds the headers of every answer and sees its status."""

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            visit.status = message["status"]
            headers = list(message["headers"])
            given = {name for name, _ in headers}
            beside = ((b"x-request-id", visit.echoed), *SAFE_HEADERS)
            headers += [(name, value) for name, value in beside if name not in given]
            message = {**message, "headers": headers}
        await send(message)

    return tell


def _route(endpoint: Endpoint, service: Service) -> HTTPRouteHandler:
    async def handle(request: Request[Any, Any, Any]) -> Response[Any]:
        visit: Visit = cast("Connection", request.scope)[VISIT]
        visit.operation = endpoint.operation
        return await _response(await _reply(endpoint, service, visit, request), visit, service)

    path = endpoint.path.replace("}", ":str}")
    return HTTPRouteHandler(path, http_method=[endpoint.method], name=endpoint.operation)(handle)


async def _reply(
    endpoint: Endpoint, service: Service, visit: Visit, request: Request[Any, Any, Any]
) -> Reply:
    """What a handler makes of a call that was found good."""
    assert endpoint.handler is not None
    scope = cast("Connection", request.scope)
    if not endpoint.open:
        visit.caller = admitted(service, visit.headers, endpoint.scopes, peer_of(scope))
    path = path_of(scope["path_params"])
    query = query_of(endpoint, scope["query_string"])
    raw = await _raw_body(endpoint, visit, cast("Receive", request.receive))
    call = Call(
        service=service,
        request_id=visit.request_id,
        method=scope["method"],
        address=(scope["raw_path"] + b"?" + scope["query_string"]).decode("latin-1"),
        path=path,
        query=query,
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in visit.headers.items()},
        raw=raw,
        body=read_json(raw) if endpoint.body is not None and not _is_text(endpoint, visit) else None,
        who=visit.caller,
    )
    return await endpoint.handler(call)


async def _raw_body(endpoint: Endpoint, visit: Visit, receive: Receive) -> bytes:
    headers = visit.headers
    if endpoint.body is not None:
        media_type = TEXT if _is_text(endpoint, visit) else endpoint.body_media_type
        check_media_type(headers, media_type.encode("ascii"))
        return await read_body(receive, headers, endpoint.body_bytes_max)
    if b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip(b"0"):
        raise Problem("body_not_taken")
    return b""


def _is_text(endpoint: Endpoint, visit: Visit) -> bool:
    """Whether a body is plain text, where it may be that as well as JSON."""
    given = visit.headers.get(b"content-type", b"").partition(b";")[0]
    return endpoint.text_too and given.strip().lower() == TEXT.encode("ascii")


async def _response(reply: Reply, visit: Visit, service: Service) -> Response[Any]:
    headers = dict(reply.headers)
    if reply.lines is not None and not visit.is_head:
        # The first line is made before the answer begins, so that what fails at once is told as a problem.
        lines = aiter(_in_threads(reply.lines, service) if isinstance(reply.lines, Iterator) else reply.lines)
        first = await anext(lines, b"")
        return Stream(
            _joined(first, lines), status_code=reply.status, headers=headers, media_type=reply.media_type
        )
    if reply.lines is not None:
        content = b""
    else:
        content = _ENCODER.encode(reply.content) if reply.raw is None else reply.raw
    return Response(content, status_code=reply.status, headers=headers, media_type=reply.media_type)


async def _joined(first: bytes, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for line in lines:
        yield line


async def _in_threads(lines: Iterator[bytes], service: Service) -> AsyncIterator[bytes]:
    """Lines that are made by reading the log or the state, each in a thread."""
    while (line := await service.read(lambda: next(lines, None))) is not None:
        yield line


def _raised(_request: Request[Any, Any, Any], fault: Exception) -> Response[Any]:
    """Let go of what Litestar caught: it is told where all the rest is."""
    raise fault


def _plain(fault: Exception) -> Exception:
    """What a fault is at its root; the framework's own refusals as problems."""
    if isinstance(fault, ExceptionGroup):
        return _plain(fault.exceptions[0])
    if not isinstance(fault, HTTPException):
        cause = fault.__cause__ if isinstance(fault, LitestarException) else None
        return _plain(cause) if isinstance(cause, Exception) else fault
    if fault.status_code == 400:
        return Problem("invalid_header", errors=[Fault("host", "must be the name of a host")])
    return Problem("not_found")
