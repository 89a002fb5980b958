"""The server: uvicorn with uvloop and httptools, one process, stopped gracefully."""

from typing import Final

import uvicorn

from choice_ledger.http.app import application
from choice_ledger.http.opening import open_service
from choice_ledger.settings import Settings

STOP_WAIT_S: Final = 10
"""How long calls that are under way may go on once the service was told to stop."""


async def serve(settings: Settings) -> None:
    """Serve until the process is told to stop."""
    with open_service(settings, stopping=lambda: server.should_exit) as service:
        server = uvicorn.Server(
            uvicorn.Config(
                application(service),
                host=settings.host,
                port=settings.port,
                loop="uvloop",
                http="httptools",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_WAIT_S,
            )
        )
        await server.serve()
