"""The application: the table of endpoints as routes of Litestar, and what every call goes through.

Each call is, in this order: given a request id, authenticated, held against scope and rate, read within its
limits, answered; whatever goes wrong ends as a problem (RFC 9457).
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, asgi
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream
from litestar.types import ASGIApp, Receive, Send
from litestar.types import Scope as Connection

from choice_ledger.access import Caller
from choice_ledger.exits import ExitCode
from choice_ledger.fault_codes import failure_of
from choice_ledger.http.bodies import read_json
from choice_ledger.http.endpoints import AsgiApp, Call, Endpoint, Reply
from choice_ledger.http.problems import PROBLEM_MEDIA_TYPE, Fault, Problem
from choice_ledger.http.service import Service
from choice_ledger.http.table import ENDPOINTS

_ENCODER = msgspec.json.Encoder()


def application(service: Service, on_stop: Callable[[], Awaitable[None]] | None = None) -> Litestar:
    """The ASGI application of a service."""
    return Litestar(
        [_route(endpoint, service) for endpoint in ENDPOINTS],
        openapi_config=None,
        exception_handlers={Exception: _told},
        on_shutdown=[] if on_stop is None else [on_stop],
    )


def _route(endpoint: Endpoint, service: Service) -> Any:  # noqa: ANN401 - two kinds of route handler
    path = endpoint.path.replace("}", ":str}")
    if endpoint.asgi is not None:
        return asgi(path, name=endpoint.operation)(_bare(endpoint.asgi(service)))

    async def handle(request: Request[Any, Any, Any]) -> Response[Any]:
        return _response(await _answered(endpoint, service, request))

    return HTTPRouteHandler(path, http_method=[endpoint.method], name=endpoint.operation)(handle)


def _bare(app: AsgiApp) -> ASGIApp:
    async def handle(scope: Connection, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)

    return handle


async def _answered(endpoint: Endpoint, service: Service, request: Request[Any, Any, Any]) -> Reply:
    assert endpoint.handler is not None
    caller = None if endpoint.open else _caller(endpoint, service, request)
    raw = await _body(endpoint, request)
    call = Call(
        service=service,
        request_id=service.ledger.new_id(),
        method=request.method,
        address=str(request.url.path),
        path={name: str(value) for name, value in request.path_params.items()},
        query={name: str(value) for name, value in request.query_params.items()},
        headers=request.headers,
        raw=raw,
        body=read_json(raw) if raw and endpoint.body is not None else None,
        who=caller,
    )
    return await endpoint.handler(call)


def _caller(endpoint: Endpoint, service: Service, request: Request[Any, Any, Any]) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem("token_missing")
    caller = service.credentials.caller_of(token.strip(), service.ledger.clock())
    if caller is None:
        raise Problem("token_refused")
    if not caller.may(endpoint.scopes):
        raise Problem("scope_missing", scopes=sorted(endpoint.scopes))
    if wait_s := service.admission.take(caller.token_id):
        raise Problem("rate_limited", retry_after_s=int(wait_s) + 1)
    return caller


async def _body(endpoint: Endpoint, request: Request[Any, Any, Any]) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > endpoint.body_bytes_max:
            raise Problem("body_too_large", limit=endpoint.body_bytes_max)
        chunks.append(chunk)
    return b"".join(chunks)


def _response(reply: Reply) -> Response[Any]:
    headers = dict(reply.headers)
    if reply.lines is not None:
        return Stream(reply.lines, status_code=reply.status, headers=headers, media_type=reply.media_type)
    content = _ENCODER.encode(reply.content) if reply.raw is None else reply.raw
    return Response(content, status_code=reply.status, headers=headers, media_type=reply.media_type)


def _told(_request: Request[Any, Any, Any], fault: Exception) -> Response[Any]:
    problem = problem_of(fault)
    headers = {"Retry-After": str(problem.retry_after_s)} if problem.row.retry else {}
    if problem.row.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    content = _ENCODER.encode(problem.members(""))
    return Response(content, status_code=problem.row.status, headers=headers, media_type=PROBLEM_MEDIA_TYPE)


def problem_of(fault: Exception) -> Problem:
    """The problem that a fault comes to. One that nobody foresaw is a defect, told without its values."""
    if isinstance(fault, Problem):
        return fault
    if isinstance(fault, HTTPException):
        return Problem("method_not_allowed" if fault.status_code == 405 else "not_found")
    failure = failure_of(fault)
    match failure.code:
        case ExitCode.REFUSED | ExitCode.USAGE:
            return Problem("refused", errors=[Fault(failure.field, failure.message)])
        case ExitCode.UNKNOWN:
            return Problem("unknown", failure.message)
        case ExitCode.UNAVAILABLE:
            return Problem("unavailable", failure.message)
        case ExitCode.MISMATCH:
            return Problem("damaged", failure.message)
        case _:
            return Problem("defect")
