"""The floor of the HTTP benchmark: a bare ASGI application that answers every call with the same bytes.

It reads neither headers nor body. It runs on the same server with the same settings as ours.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import uvicorn

ANSWER: Final = (
    b'{"permitted":true,"reason":"not_opted_out","policy":{"id":"website","version":1},"evidence":'
    b'["7ac0a2a6-5c3c-4bd5-9d2c-3e3e6f8f8a01","0e4b7a38-3d9e-4d2b-8a0f-7f3d3c2b1a02"],"until":null,'
    b'"position":"kqQwMTkzkpOrbmRpdmlkdWFscwDNVvCTqHBvbGljaWVzAAM"}'
)
"""As long as an answer of ours, about."""

START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))],
}
BODY: Final = {"type": "http.response.body", "body": ANSWER}


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answer."""
    del scope, receive
    await send(START)
    await send(BODY)


def main() -> None:
    """Serve on a port until told to stop."""
    uvicorn.run(
        application,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
