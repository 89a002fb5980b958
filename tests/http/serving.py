"""A real server in a thread: what the tests of the HTTP service talk to."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvloop

from choice_ledger.access import SCOPES, Scope
from choice_ledger.http.app import Application
from choice_ledger.http.endpoints import Endpoint
from choice_ledger.http.opening import open_service
from choice_ledger.http.server import Server, address_of, listening
from choice_ledger.http.service import Service
from choice_ledger.http.table import ENDPOINTS
from choice_ledger.http.tracing import Tracing
from choice_ledger.settings import Settings
from choice_ledger.wiring import new_id, now, token_file
from events.instants import DAY
from tests.http.documented import DocumentedClient

STARTED_WITHIN_S = 20


@dataclass(frozen=True)
class Served:
    """A running service, and clients for it."""

    url: str
    service: Service
    settings: Settings

    def token(self, *scopes: Scope, tenant: str = "main", name: str = "tester") -> str:
        """A new token with these scopes (none given: with all)."""
        at = now()
        return token_file(self.settings).create(
            token_id=new_id(), name=name, tenant=tenant, scopes=scopes or SCOPES, now=at, expires_at=at + DAY
        )

    def client(self, *scopes: Scope, tenant: str = "main", name: str = "tester") -> httpx.Client:
        """A client whose calls carry a new token with these scopes (none given: with all).

        Every answer that it gets has to be as the OpenAPI document says.
        """
        token = self.token(*scopes, tenant=tenant, name=name)
        headers = {"Authorization": f"Bearer {token}"}
        return DocumentedClient(base_url=self.url, headers=headers, timeout=30)


@contextmanager
def serving(
    home: Path,
    *,
    endpoints: Sequence[Endpoint] = ENDPOINTS,
    altered: Callable[[Service], Service] = lambda service: service,
    tracing: Tracing | None = None,
    **settings: object,
) -> Iterator[Served]:
    """A service on the ledger in a home directory, over a real socket, until the context ends.

    Other endpoints than its own are for planting a bug that a test has to find; ``altered`` puts it on
    something that fails, such as a log on a broken disk.
    """
    chosen = Settings(home=str(home), **settings)  # type: ignore[arg-type]  # Settings come by their names, of any type.
    with open_service(chosen, lambda: False, tracing) as opened:
        service = altered(opened)
        server = Server(Application(service, endpoints), stop_notice_s=0)
        sockets = listening("127.0.0.1", 0)
        thread = threading.Thread(target=lambda: uvloop.run(server.serve(sockets)), daemon=True)
        thread.start()
        waited = threading.Event()
        for _ in range(STARTED_WITHIN_S * 100):
            if server.started or not thread.is_alive():
                break
            waited.wait(0.01)
        assert server.started, "the server did not start"
        try:
            yield Served(address_of(sockets[0]), service, chosen)
        finally:
            server.should_exit = True
            thread.join()
