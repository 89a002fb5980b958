"""The server: uvicorn with uvloop and httptools, one process, stopped gracefully.

Told to stop (SIGTERM or Ctrl-C), it says so by ``/readyz`` while it still takes calls, for as long as
whoever sends them needs to see it; then it takes no more connections, lets the calls under way end, and
closes what it holds open. A second signal ends it at once: what was acknowledged is in the log, whatever
the moment.
"""

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import Any, Final, cast

import structlog
import uvicorn

from choice_ledger.exits import ExitCode, Failure
from choice_ledger.http.app import Application, application
from choice_ledger.http.opening import open_service
from choice_ledger.http.protocol import BoundedProtocol
from choice_ledger.http.tracing import tracing_asked_for
from choice_ledger.settings import Settings

STOP_NOTICE_S: Final = 1.0
"""How long the service says that it stops, and still takes calls, before it takes no more."""

STOP_WAIT_S: Final = 10
"""How long calls that are under way may go on then; after it they are broken off."""

BACKLOG: Final = 2_048
"""Connections that the machine keeps until they are taken."""

_SWEEP_TICKS: Final = 10
_log = structlog.get_logger("choice_ledger.http")


class Server(uvicorn.Server):
    """uvicorn's server, with our way to stop."""

    def __init__(self, app: Application, stop_notice_s: float = STOP_NOTICE_S) -> None:
        """Serve an application. ``stop_notice_s``: see ``STOP_NOTICE_S``."""
        self._stop_notice_s = stop_notice_s
        config = uvicorn.Config(
            cast("Any", app),
            loop="uvloop",
            http=BoundedProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # Whoever is directly connected could name any address, and none is needed here.
            proxy_headers=False,
            timeout_graceful_shutdown=STOP_WAIT_S,
        )
        super().__init__(config)

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections, each second."""
        if counter % _SWEEP_TICKS == 0:
            now = monotonic()
            for connection in list(self.server_state.connections):
                cast("BoundedProtocol", connection).leave_if_idle(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, once those who ask whether the service is ready have had time to see it."""
        await asyncio.sleep(self._stop_notice_s)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at the first signal, gracefully; end at once at the second."""
        del frame
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals while serving. uvicorn would raise them again, and end before all is closed."""
        if threading.current_thread() is not threading.main_thread():
            yield  # No other thread may take signals.
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)


async def serve(settings: Settings) -> None:
    """Serve until the process is told to stop. Raises Failure where the address cannot be had."""
    sockets = listening(settings.host, settings.port)
    tracing = tracing_asked_for(os.environ)
    servers: list[Server] = []
    try:
        with open_service(settings, lambda: any(s.should_exit for s in servers), tracing) as service:
            server = Server(application(service))
            servers.append(server)
            _log.info("serving", addresses=[address_of(listener) for listener in sockets], pid=os.getpid())
            await server.serve(sockets)
    finally:
        for listener in sockets:
            listener.close()
        if tracing is not None:
            tracing.close()
    _log.info("stopped")


def listening(host: str, port: int) -> list[socket.socket]:
    """Sockets on every address that the host's name has. Raises Failure."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        sockets: list[socket.socket] = []
        for family, _, _, _, address in dict.fromkeys(found):
            at = cast("tuple[Any, ...]", address)
            taken = port or (sockets[0].getsockname()[1] if sockets else 0)
            sockets.append(socket.create_server((at[0], taken), family=family, backlog=BACKLOG))
    except OSError as fault:
        message = f"cannot be listened on ({fault.strerror or 'no such name'}); choose another host or port"
        raise Failure(ExitCode.UNAVAILABLE, message, "host:port") from None
    return sockets


def address_of(listener: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
