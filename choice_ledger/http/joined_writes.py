"""A transport that sends what is written in one turn of the event loop at once.

uvicorn writes the head of an answer and then its body, and uvloop hands each to the system by itself: two
calls, each of which may wake the client. Most answers are whole within one turn, so here the head waits for
what follows it, and for no longer than the turn.
"""

from asyncio import AbstractEventLoop, Transport
from typing import Any, Final

JOINED_BYTES_MAX: Final = 65_536
"""Bytes that are copied to be sent together; what is longer is sent after the head, by itself."""


class JoinedWrites:
    """A transport of a connection's own. Whatever it does not know itself is the transport's below."""

    __slots__ = (
        "_call_soon",
        "_held",
        "_transport",
        "get_extra_info",
        "is_closing",
        "pause_reading",
        "resume_reading",
    )

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        """Write to ``transport``, by the turns of ``loop``."""
        self._transport = transport
        self._call_soon = loop.call_soon
        self._held = b""
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a transport has
        """What is asked of a transport rarely."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send, together with what was written before in this turn; at the latest when the turn is over."""
        held = self._held
        if held:
            self._held = b""
            if len(data) <= JOINED_BYTES_MAX:
                self._transport.write(held + data)
            else:
                self._transport.write(held)
                self._transport.write(data)
        elif data:
            self._held = data
            self._call_soon(self._send_held)

    def close(self) -> None:
        """Send what is held, and close once all is sent."""
        self._send_held()
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what is held is lost with the connection."""
        self._held = b""
        self._transport.abort()

    def _send_held(self) -> None:
        """Send what nothing followed. A turn that was over already finds nothing to send."""
        held, self._held = self._held, b""
        if held and not self.is_closing():
            self._transport.write(held)
