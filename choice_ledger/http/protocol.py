"""The server's side of a connection: uvicorn's, with bounds on what a client may send and how slowly.

uvicorn reads a head of any length and waits for one for ever. Here a connection too many, a head that is
too large and bytes that are no HTTP are refused with a problem, and who keeps the server waiting is left.
"""

from time import monotonic
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from choice_ledger.http.joined_writes import JoinedWrites
from choice_ledger.http.problems import PROBLEM_MEDIA_TYPE, Problem

CONNECTIONS_MAX: Final = 2_048
"""Connections at one time; a further one is told ``overloaded`` and closed."""

HEAD_BYTES_MAX: Final = 32_768
"""Bytes of a request's line and headers."""

HEADERS_MAX: Final = 100
"""Headers of a request."""

BESIDE_BODY_BYTES_MAX: Final = 2 * 262_144
"""Bytes that may come in a row with nothing of the body in them, trailers above all: then the connection is
closed. Twice as many as are received at once, of which the last may be a body's end, and other requests.
"""

HEAD_WAIT_S: Final = 10.0
"""How long a head may take to arrive, and what is left of a body that nobody reads any more."""

READ_WAIT_S: Final = 60.0
"""How long a client may leave an answer unread once the machine can hold no more of it."""


class _HeadTooLarge(Exception):
    pass


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's to give
        """Take what uvicorn gives."""
        super().__init__(*arguments, **options)
        self._refusal = Problem("malformed_http")
        self._is_in_head = True
        self._is_in_body = False
        self._head_bytes = 0
        self._arrived_bytes = 0
        self._beside_bytes = 0
        self._waiting_since: float | None = None
        self._unread_since: float | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401 - as uvicorn has it
        """A client connected."""
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]  # It stands in for a transport.
        self._waiting_since = monotonic()
        if len(self.connections) > CONNECTIONS_MAX:
            self._refuse(Problem("overloaded", limit=CONNECTIONS_MAX))

    def data_received(self, data: bytes) -> None:
        """The client sent something."""
        self._arrived_bytes = len(data)
        self._beside_bytes += len(data)
        if not self._is_in_body:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_body and self._beside_bytes > BESIDE_BODY_BYTES_MAX:
            self.transport.close()
        if self._is_in_head and self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._refuse(Problem("head_too_large", limit=HEAD_BYTES_MAX))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is whole. One after the body, a trailer, is none: it came when the call was judged."""
        if not self._is_in_body:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Some of a body came."""
        self._beside_bytes = 0
        super().on_body(body)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._is_in_head, self._is_in_body = True, False
        self._waiting_since = monotonic()

    def on_headers_complete(self) -> None:
        """A request's head is whole."""
        if max(self._head_bytes, self._arrived_bytes) > HEAD_BYTES_MAX or len(self.headers) > HEADERS_MAX:
            # What was received may hold a body beside the head, so only now the head itself is measured.
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > HEAD_BYTES_MAX or len(self.headers) > HEADERS_MAX:
                self._refusal = Problem("head_too_large", limit=HEAD_BYTES_MAX)
                raise _HeadTooLarge
        self._is_in_head, self._is_in_body = False, True
        self._head_bytes = self._beside_bytes = 0
        self._waiting_since = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._is_in_body = False
        self._waiting_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is whole. What the client still sends of a body is read, for a while, and thrown away."""
        super().on_response_complete()
        if self._is_in_body:
            self._waiting_since = monotonic()

    def pause_writing(self) -> None:
        """The client does not read what it is sent."""
        super().pause_writing()
        self._unread_since = monotonic()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self._unread_since = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read as a request."""
        del msg
        self._refuse(self._refusal)

    def leave_if_idle(self, now: float) -> None:
        """Close the connection where the client has kept it waiting for too long."""
        if self._waiting_since is not None and now - self._waiting_since > HEAD_WAIT_S:
            self.transport.close()
        elif self._unread_since is not None and now - self._unread_since > READ_WAIT_S:
            self.transport.abort()

    def _refuse(self, problem: Problem) -> None:
        """Answer without a call, and close. Nothing of what was sent is read, so there is no request id."""
        content = msgspec.json.encode(problem.members(""))
        status = f"HTTP/1.1 {problem.row.status} {_PHRASES[problem.row.status]}"
        lines = [
            status,
            f"content-type: {PROBLEM_MEDIA_TYPE}",
            f"content-length: {len(content)}",
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            *([f"retry-after: {problem.retry_after_s}"] if problem.row.retry else []),
            "connection: close",
        ]
        self.transport.write("\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + content)
        self.transport.close()


_PHRASES: Final = {400: "Bad Request", 431: "Request Header Fields Too Large", 503: "Service Unavailable"}
