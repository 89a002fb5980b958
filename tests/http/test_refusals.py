"""Every refusal of the table is provoked on a real server, and is what the table says."""

import asyncio
import json
import shutil
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from choice_ledger.http import gate
from choice_ledger.http.admission import TENANT_WAITING_MAX
from choice_ledger.http.bodies import BODY_BYTES_MAX, NESTING_MAX
from choice_ledger.http.endpoints import JSON, Answered, Call, Endpoint, Reply
from choice_ledger.http.problems import KINDS, PROBLEM_MEDIA_TYPE
from choice_ledger.http.protocol import HEAD_BYTES_MAX
from choice_ledger.http.service import Service
from choice_ledger.http.table import ENDPOINTS
from choice_ledger.wiring import LOG_FILE, new_id, now
from events.streams import INDIVIDUALS, Position, Slice
from ledger.sqlite_log import SqliteLog
from tests.cli.running import EXAMPLES, Cli
from tests.http.serving import Served, serving
from tests.simulation.disks import BreakableDisk, watched_disk

POLICY = EXAMPLES / "telemate" / "website-and-services.v1.yaml"
CHECK = {"individual": "ana", "purpose": "website.periodic_email"}
NOTICE = {"individual": "ana", "policy_id": "privacy", "version": 1, "locale": "en"}
HISTORY = "/v1/individuals/ana/history"
HELD_WITHIN_S = 20
WRITES_WITHIN_S = 0.5
HELD_AFTER_STOP_S = 1.5


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger in which the example's policy is in force, to be copied."""
    made = tmp_path_factory.mktemp("refusing") / "home"
    Cli(made).does("policy", "publish", str(POLICY), "--now")
    return made


@pytest.fixture(scope="module")
def served(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on such a ledger, for the refusals that need no fault."""
    copy = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(home, copy)
    with serving(copy) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    """A client with a token of all scopes."""
    with served.client() as made:
        yield made


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a provocation may use: the running service, and what it takes to make another one that fails."""

    served: Served
    client: httpx.Client
    home: Path
    monkeypatch: pytest.MonkeyPatch

    def post(self, path: str, body: object = None, **headers: str) -> httpx.Response:
        """A call with a token of all scopes."""
        return self.client.post(path, json=body, headers=headers)

    def get(self, path: str, **query: str) -> httpx.Response:
        """A call with a token of all scopes."""
        return self.client.get(path, params=query)

    def raw(self, content: bytes, media_type: str = JSON) -> httpx.Response:
        """A question as bytes."""
        return self.client.post("/v1/check", content=content, headers={"Content-Type": media_type})


Provocation = Callable[[World], httpx.Response]


def choice(**more: object) -> dict[str, object]:
    """What records an opt-out of an individual of its own."""
    return {"individual": f"p-{uuid.uuid4()}", "decision": "opt_out", "purposes": ["website.surveys"], **more}


def over_a_socket(world: World, sent: bytes) -> httpx.Response:
    """What the server answers to bytes that no client would send."""
    url = httpx.URL(world.served.url)
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        connection.sendall(sent)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    head, _, content = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("ascii").split("\r\n")
    headers = [tuple(line.split(": ", 1)) for line in lines]
    return httpx.Response(int(status.split()[1]), headers=headers, content=content)  # type: ignore[arg-type]  # Headers as they came, as text.


def slow_body(world: World) -> httpx.Response:
    """The first byte of a body, and no other, where a body may take a tenth of a second."""
    world.monkeypatch.setattr(gate, "BODY_WAIT_S", 0.1)
    head = (
        f"POST /v1/check HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {world.served.token()}\r\n"
        "Content-Type: application/json\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{"
    )
    return over_a_socket(world, head.encode())


def large_head(world: World) -> httpx.Response:
    """A header that fills the head by itself."""
    return over_a_socket(world, b"GET /livez HTTP/1.1\r\nX: " + b"a" * HEAD_BYTES_MAX + b"\r\n\r\n")


def in_flight(world: World) -> httpx.Response:
    """A call while another process holds the log, and the same call again."""
    held = apsw.Connection(str(Path(world.served.settings.home) / LOG_FILE))
    held.execute("BEGIN IMMEDIATE")
    key, body = {"Idempotency-Key": str(uuid.uuid4())}, choice()
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(world.post, "/v1/choices", body, **key) for _ in range(2)]
        try:
            refused, waiting = wait(calls, HELD_WITHIN_S, return_when="FIRST_COMPLETED")
        finally:
            held.execute("ROLLBACK")
            held.close()
        assert [call.result().status_code for call in waiting] == [201]
    (answer,) = refused
    return answer.result()


def twice(world: World, first: dict[str, Any], second: dict[str, Any], **headers: str) -> httpx.Response:
    """Two calls, of which the second is refused."""
    assert world.post("/v1/choices", first, **headers).status_code == 201
    return world.post("/v1/choices", second, **headers)


def event_id_taken(world: World) -> httpx.Response:
    """One id for two events of one individual."""
    first = choice(event_id=new_id())
    return twice(world, first, {**first, "purposes": ["website.newsletter_ads"], "decision": "opt_in"})


def key_reused(world: World) -> httpx.Response:
    """One key for two bodies."""
    return twice(world, choice(), choice(), **{"Idempotency-Key": str(uuid.uuid4())})


def position(world: World, *, ahead: int = 0, generation: str = "") -> str:
    """A position of this ledger, further on than anything; or one of another."""
    here = world.served.service.ledger.folding.position
    offsets = here.as_dict() | {Slice(INDIVIDUALS, 0): 1 + ahead}
    return Position.of(generation or here.generation, offsets.items()).encode()


def stale(world: World) -> httpx.Response:
    """An answer as fresh as what nobody has recorded."""
    return world.get(HISTORY, after=position(world, ahead=1_000_000), wait_ms="20")


def wrong_generation(world: World) -> httpx.Response:
    """An answer as fresh as a position of another ledger."""
    return world.get(HISTORY, after=position(world, generation=str(uuid.uuid4())))


def rate_limited(world: World) -> httpx.Response:
    """Two calls at once where one is let in."""
    with elsewhere(world, rate_per_s=0.01, rate_burst=1) as running, running.client() as client:
        assert client.post("/v1/check", json=CHECK).status_code == 200
        return client.post("/v1/check", json=CHECK)


@contextmanager
def elsewhere(world: World, **how: Any) -> Iterator[Served]:
    """Another service, on a copy of the ledger."""
    copy = world.home.with_name(f"home-{uuid.uuid4()}")
    shutil.copytree(world.home, copy)
    with serving(copy, **how) as running:
        yield running


def unknown(world: World) -> httpx.Response:
    """A write whose disk fails as it is made durable."""
    breakable = BreakableDisk()
    name = f"refusing-{uuid.uuid4()}"

    def altered(service: Service) -> Service:
        log = SqliteLog(Path(service.ledger.settings.home) / LOG_FILE, now, new_id, name)
        logs.append(log)
        return replace(service, ledger=replace(service.ledger, log=log))

    logs: list[SqliteLog] = []
    with (
        watched_disk(name, breakable),
        elsewhere(world, altered=altered) as running,
        running.client() as client,
    ):
        assert client.post("/v1/choices", json=choice()).status_code == 201
        breakable.kinds = frozenset({"sync"})
        breakable.fault = apsw.IOError("it ticks no more")
        answer = client.post("/v1/choices", json=choice())
        breakable.fault = None
        logs[0].close()
    return answer


def unavailable(world: World) -> httpx.Response:
    """A text for which there is no folder any more."""
    with elsewhere(world) as running, running.client() as client:
        content = Path(running.settings.home) / "content"
        shutil.rmtree(content)
        content.write_text("no folder", encoding="utf-8")
        return client.post("/v1/wordings", json={"text": "What people are shown."})


def damaged(world: World) -> httpx.Response:
    """A text whose file holds another one."""
    with elsewhere(world) as running, running.client() as client:
        path = "/v1/policies/privacy/versions/1/wordings/en"
        assert client.get(path).status_code == 200
        for file in (Path(running.settings.home) / "content").rglob("*"):
            if file.is_file():
                file.chmod(0o600)
                file.write_text("something else", encoding="utf-8")
        return client.get(path)


def planted(handler: Callable[[Call], Any]) -> list[Endpoint]:
    """The table with one more row."""
    answers = (Answered(status=200, description="It.", content={JSON: {}}),)
    row = Endpoint(
        method="GET",
        path="/planted",
        operation="planted",
        summary="Planted",
        tag="Planted",
        answers=answers,
        handler=handler,
    )
    return [*ENDPOINTS, row]


def defect(world: World) -> httpx.Response:
    """An endpoint that fails in a way that nobody foresaw."""

    async def fail(call: Call) -> Reply:
        return Reply(content=1 // len(call.raw))

    with elsewhere(world, endpoints=planted(fail)) as running:
        return httpx.get(f"{running.url}/planted", headers={"Authorization": f"Bearer {running.token()}"})


def overloaded(world: World) -> httpx.Response:
    """A reading call while as many others of the same tenant as may wait do wait."""
    let_go, entered = threading.Event(), threading.Semaphore(0)
    tasks: list[asyncio.Task[bool]] = []

    def held() -> bool:
        entered.release()
        return let_go.wait(HELD_WITHIN_S)

    async def fill(call: Call) -> Reply:
        tasks.extend(asyncio.create_task(call.service.read(held)) for _ in range(TENANT_WAITING_MAX))
        return Reply(content=len(tasks))

    with elsewhere(world, endpoints=planted(fill)) as running, running.client() as client:
        token = {"Authorization": f"Bearer {running.token()}"}
        assert httpx.get(f"{running.url}/planted", headers=token).json() == TENANT_WAITING_MAX
        assert entered.acquire(timeout=HELD_WITHIN_S)
        answer = client.get(HISTORY)
        let_go.set()
        return answer


def not_ready(world: World) -> httpx.Response:
    """A service that leaves the folding to another process, and there is none."""
    with elsewhere(world, serve_work=False, freshness_ms_max=0) as running:
        return httpx.get(f"{running.url}/readyz")


def stopped(world: World) -> httpx.Response:
    """A write that waits for another process while the service stops, for longer than a stop may take."""
    world.monkeypatch.setattr("choice_ledger.http.server.STOP_WAIT_S", 0.2)
    with ThreadPoolExecutor(1) as pool:
        with elsewhere(world) as running:
            client = running.client()
            held = apsw.Connection(str(Path(running.settings.home) / LOG_FILE))
            held.execute("BEGIN IMMEDIATE")
            writing = pool.submit(client.post, "/v1/choices", json=choice())
            wait([writing], WRITES_WITHIN_S)
            # The server's thread ends what it can; the write itself ends once the log is free again.
            threading.Timer(HELD_AFTER_STOP_S, lambda: held.close(force=True)).start()
        with closing(client):
            return writing.result()


PROVOCATIONS: dict[str, Provocation] = {
    "malformed_json": lambda world: world.raw(b'{"individual": "ana"'),
    "malformed_http": lambda world: over_a_socket(world, b"\x16\x03\x01\x02\x00\r\n\r\n"),
    "duplicate_name": lambda world: world.raw(b'{"individual": "ana", "individual": "bob", "purpose": "a"}'),
    "nested_too_deeply": lambda world: world.raw(b"[" * (NESTING_MAX + 1) + b"]" * (NESTING_MAX + 1)),
    "invalid_parameter": lambda world: world.get(HISTORY, limit="0"),
    "invalid_header": lambda world: world.post("/v1/choices", choice(), **{"Idempotency-Key": "a" * 256}),
    "malformed_request": lambda world: world.post("/access/v1/evaluation", {"subject": {}}),
    "body_not_taken": lambda world: world.client.request("GET", "/v1/policies", json={}),
    "token_missing": lambda world: httpx.post(f"{world.served.url}/v1/check", json=CHECK),
    "token_refused": lambda world: httpx.post(
        f"{world.served.url}/v1/check", json=CHECK, headers={"Authorization": "Bearer clt_none"}
    ),
    "scope_missing": lambda world: httpx.post(
        f"{world.served.url}/v1/check",
        json=CHECK,
        headers={"Authorization": f"Bearer {world.served.token('record')}"},
    ),
    "not_found": lambda world: world.get("/v1/policies/none/versions"),
    "method_not_allowed": lambda world: world.client.delete("/v1/check"),
    "not_acceptable": lambda world: world.client.get("/problems/stale", headers={"Accept": "image/png"}),
    "body_too_slow": slow_body,
    "in_flight": in_flight,
    "use_denied": lambda world: world.post(
        "/v1/disclosures",
        {
            "individual": "nobody",
            "recipient": "adco",
            "purpose": "website.surveys",
            "data": ["email_address"],
        },
    ),
    "event_id_taken": event_id_taken,
    "wrong_generation": wrong_generation,
    "body_too_large": lambda world: world.raw(b" " * (BODY_BYTES_MAX + 1)),
    "unsupported_media_type": lambda world: world.raw(b"{}", "text/plain"),
    "refused": lambda world: world.post("/v1/choices", {"individual": "a/b", "decision": "perhaps"}),
    "idempotency_key_reused": key_reused,
    "rate_limited": rate_limited,
    "head_too_large": large_head,
    "defect": defect,
    "damaged": damaged,
    "unknown": unknown,
    "unavailable": unavailable,
    "overloaded": overloaded,
    "stopped": stopped,
    "not_ready": not_ready,
    "stale": stale,
}


def test_every_kind_has_a_provocation() -> None:
    """No kind of problem stands in the table that this module does not provoke."""
    assert list(PROVOCATIONS) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_is_what_the_table_says(
    kind: str, served: Served, client: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of problem comes about, with its own status, type, title, remedy, and time to wait if any."""
    row = KINDS[kind]
    answer = PROVOCATIONS[kind](World(served=served, client=client, home=home, monkeypatch=monkeypatch))
    told = json.loads(answer.content)
    assert told["type"] == f"/problems/{kind}", told
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    assert answer.status_code == told["status"] == row.status
    assert (told["title"], told["remedy"]) == (row.title, row.remedy)
    assert told["detail"]
    assert ("retry-after" in answer.headers) == row.retry


@pytest.mark.parametrize("before", [b"", b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"], ids=["first", "second"])
def test_every_head_of_a_connection_has_the_limit(served: Served, before: bytes) -> None:
    """A head that is too large is refused as such, be it the first of its connection or a later one."""
    url = httpx.URL(served.url)
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        if before:
            connection.sendall(before)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /livez?a=" + b"a" * 2 * HEAD_BYTES_MAX + b" HTTP/1.1\r\nHost: h\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("kind", KINDS)
def test_a_problem_explains_itself(kind: str, client: httpx.Client) -> None:
    """The address that is a problem's type tells of it: as JSON to a program, and as a page to a person."""
    row = KINDS[kind]
    told = client.get(f"/problems/{kind}", headers={"Accept": JSON}).json()
    assert told["type"] == f"/problems/{kind}"
    assert (told["status"], told["title"], told["when"]) == (row.status, row.title, row.when)
    page = client.get(f"/problems/{kind}", headers={"Accept": "text/html,*/*;q=0.1"})
    assert page.headers["content-type"].startswith("text/html")
    assert f"<code>/problems/{kind}</code>" in page.text
