"""Endpoints of a test's own, on which faults are planted that the real ones do not have."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from choice_ledger.http.endpoints import JSON, NDJSON, Answered, Call, Endpoint, Handler, Parameter, Reply

ANSWER = (Answered(status=200, description="Done.", content={JSON: {}, NDJSON: {}}),)
THINGS_BYTES_MAX = 1_000


def row(path: str, handler: Handler, *, takes_body: bool = False, **fields: object) -> Endpoint:
    """An endpoint that does what its handler does; one with a body is POST."""
    shown: dict[str, object] = {
        "method": "POST" if takes_body else "GET",
        "path": path,
        "operation": path.strip("/").replace("/", "_").replace("{", "").replace("}", ""),
        "summary": "Planted",
        "tag": "Planted",
        "answers": ANSWER,
        "handler": handler,
        "open": True,
        "body": {"type": "object"} if takes_body else None,
    }
    return Endpoint(**(shown | fields))  # type: ignore[arg-type]  # the defaults fit


async def _echo(call: Call) -> Reply:
    return Reply(content={"path": dict(call.path), "query": dict(call.query), "body": call.body})


async def _fail(call: Call) -> Reply:
    raise RuntimeError(f"the values are {call.path} {call.query} {call.body}")


async def _fail_in_a_thread(call: Call) -> Reply:
    def work() -> None:
        raise LookupError(f"the values are {call.path} {call.query} {call.body}")

    await call.service.read(work)
    return Reply()


async def _lines(call: Call) -> Reply:
    """As many lines as the query says; then a fault, if it says so."""

    async def lines() -> AsyncIterator[bytes]:
        for number in range(int(call.query["lines"])):
            yield b'{"line": %d}\n' % number
            await asyncio.sleep(0)
        if "fails" in call.query:
            raise RuntimeError(call.query["fails"])

    return Reply(lines=lines(), media_type=NDJSON)


async def _flood(call: Call) -> Reply:
    """More than any machine holds for a client that does not read."""
    del call

    async def lines() -> AsyncIterator[bytes]:
        for _ in range(10_000):
            yield b"x" * 65_536
            await asyncio.sleep(0)

    return Reply(lines=lines(), media_type=NDJSON)


async def _lines_in_threads(call: Call) -> Reply:
    del call

    def lines() -> Iterator[bytes]:
        for number in range(3):
            yield b"%d\n" % number

    return Reply(lines=lines(), media_type=NDJSON)


async def _while_waiting(call: Call) -> Reply:
    """Carry out a call that records nothing, for as long as its body says; tell its event id."""
    async with call.service.idempotency.during(call) as event_id:
        await asyncio.sleep(call.body.get("wait_s", 0))
        return Reply(content={"event_id": event_id})


_QUERY = tuple(
    Parameter(name=name, place="query", schema={"type": "string"}, description=name, required=name == "a")
    for name in ("a", "b")
)
_LINES = tuple(
    Parameter(name=name, place="query", schema={"type": "string"}, description=name)
    for name in ("lines", "fails")
)

PLANTED = (
    row("/v1/things/{thing}", _echo),
    row("/v1/things", _echo, takes_body=True, body_bytes_max=THINGS_BYTES_MAX),
    row("/v1/questions", _echo, parameters=_QUERY),
    row("/v1/faults", _fail),
    row("/v1/faults/{thing}", _fail, takes_body=True),
    row("/v1/thread-faults", _fail_in_a_thread),
    row("/v1/lines", _lines, parameters=_LINES),
    row("/v1/thread-lines", _lines_in_threads),
    row("/v1/flood", _flood),
    row("/v1/waits", _while_waiting, takes_body=True, open=False, scopes=frozenset({"record"})),
    row("/v1/other-waits", _while_waiting, takes_body=True, open=False, scopes=frozenset({"record"})),
)
"""The planted endpoints."""
