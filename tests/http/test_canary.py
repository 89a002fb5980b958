"""Personal data that is planted in every call, and looked for in everything that others could read.

The calls are generated from the table of endpoints. What is searched: every line that the process logged at
level ``debug``, the metrics, and every problem that a call ended in; raw, percent-encoded and in base64.
"""

import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from choice_ledger.http.endpoints import Call, Endpoint, Reply
from choice_ledger.http.problems import Problem
from choice_ledger.http.table import ENDPOINTS
from tests.http.planting import row
from tests.http.process import Running, running
from tests.http.serving import serving

PERSON = "Zsófia-Canaryová"
ADDRESS = "zsofia.canary@example.org"
PSEUDONYM = "zsofia-canary-1977"
CANARIES = (PERSON, ADDRESS, PSEUDONYM, "zsofia", "canary")


def spellings(canary: str) -> Iterator[str]:
    """How a canary may look in a text: as it is, escaped for an address or JSON, in base64 at any offset."""
    yield canary
    yield quote(canary, safe="")
    yield json.dumps(canary)[1:-1]
    for padding in range(3):
        coded = base64.b64encode(b"\0" * padding + canary.encode()).decode()
        # The first and last characters depend on what stands beside the canary.
        yield coded[4 if padding else 0 : -4]
    yield canary.encode().hex()


def found_in(text: str) -> list[str]:
    """The canaries that a text holds, in any spelling."""
    lowered = text.lower()
    return [
        c for c in CANARIES for spelled in spellings(c) if len(spelled) > 3 and spelled.lower() in lowered
    ]


@pytest.mark.parametrize("canary", CANARIES)
def test_a_planted_canary_is_found(canary: str) -> None:
    """The search finds each canary in each spelling, in the midst of other text."""
    for spelled in (canary, quote(canary), json.dumps(canary), f"x{canary.upper()}x"):
        assert found_in(f"before {spelled} after"), spelled
    for beside in ("", "a", "ab", "abc"):
        assert found_in(base64.b64encode(f"{beside}{canary}{beside}".encode()).decode())


def planted(value: Any, text: str) -> Any:
    """The same JSON with every text in it replaced."""
    match value:
        case dict():
            return {name: planted(each, text) for name, each in value.items()}
        case list():
            return [planted(each, text) for each in value]
        case str():
            return text
        case _:
            return value


def one_by_one(value: Any, text: str) -> Iterator[Any]:
    """The same JSON object, with one member after another replaced."""
    if isinstance(value, dict):
        for name in value:
            yield {**value, name: planted(value[name], text)}
            yield {**value, name: {text: text}}


def bodies(endpoint: Endpoint) -> Iterator[bytes]:
    """Bodies with canaries: well formed and not, in values, in names, and in unknown fields."""
    example = endpoint.example if isinstance(endpoint.example, dict) else {}
    known: list[Any] = [
        example,
        {**example, "individual": PSEUDONYM},
        {**example, PERSON: ADDRESS},
        [PERSON],
        PERSON,
    ]
    for text in (PERSON, ADDRESS):
        known += [planted(example, text), *one_by_one(example, text)]
    for content in known:
        yield json.dumps(content, ensure_ascii=False).encode()
    good = json.dumps({**example, "individual": PERSON}).encode()
    yield from (good[:-1], good + b"x", good.replace(b"{", b'{"%s":1,"%s":2,' % ((ADDRESS.encode(),) * 2), 1))
    yield b"[" * 100 + ADDRESS.encode()
    yield f'{{"{PERSON}": \\ud800 "{ADDRESS}"}}'.encode()
    yield PERSON.encode("utf-16")


def paths(endpoint: Endpoint) -> Iterator[str]:
    """Addresses with canaries in each parameter, in unknown ones and behind the end."""
    plain, pieces = endpoint.path, endpoint.path.split("/")
    for text in (PSEUDONYM, PERSON, ADDRESS):
        filled = "/".join(quote(text, safe="") if piece.startswith("{") else piece for piece in pieces)
        names = [p.name for p in endpoint.parameters if p.place == "query"]
        yield filled
        yield f"{filled}?{quote(text)}={quote(text)}"
        yield f"{filled}/{quote(text)}"
        yield filled + "?" + "&".join(f"{name}={quote(text)}" for name in names)
    yield plain


def headers(token: str) -> Iterator[dict[str, str]]:
    """Headers with canaries, in those that are read and in others."""
    good = f"Bearer {token}"
    yield {"Authorization": good}
    yield {"Authorization": f"Bearer {ADDRESS}"}
    yield {"Authorization": f"Basic {base64.b64encode(ADDRESS.encode()).decode()}"}
    beside = {
        "X-Request-Id": PSEUDONYM, "User-Agent": ADDRESS, "Referer": f"https://x/{ADDRESS}",
        "Cookie": f"a={ADDRESS}", "Accept": PSEUDONYM, "Accept-Language": PSEUDONYM, "traceparent": PSEUDONYM,
        "X-Forwarded-For": ADDRESS, "Idempotency-Key": ADDRESS,
    }  # fmt: skip
    yield {"Authorization": good, **beside}
    yield {"Authorization": good, "Idempotency-Key": f'"{PSEUDONYM}'}
    yield {"Authorization": good, "Content-Type": f"text/{PSEUDONYM}"}


def call(client: httpx.Client, method: str, path: str, content: bytes | None, chosen: dict[str, str]) -> str:
    """Make one call; what of its answer others could read: a problem's body."""
    if content is not None:
        chosen = {"Content-Type": "application/json", **chosen}
    answer = client.request(method, path, content=content, headers=chosen)
    if answer.headers.get("Content-Type") == "application/problem+json":
        return answer.text
    assert answer.status_code < 400
    return ""


def calls(service: Running, endpoint: Endpoint) -> Iterator[tuple[str, str, bytes | None, dict[str, str]]]:
    """Every call that is generated from a row."""
    filled = next(paths(endpoint))
    example = None if endpoint.body is None else json.dumps(endpoint.example).encode()
    for path in paths(endpoint):
        yield endpoint.method, path, example, service.headers
    for chosen in headers(service.token):
        yield endpoint.method, filled, example, chosen
    for content in bodies(endpoint):
        yield endpoint.method, filled, content, service.headers
    for method in ("PUT", "HEAD", "OPTIONS"):
        yield method, filled, None, service.headers


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service that logs all that it can."""
    home = tmp_path_factory.mktemp("home")
    with running(home, CHOICE_LEDGER_LOG_LEVEL="debug") as started:
        yield started


@pytest.mark.timeout(600)
def test_no_canary_is_found_in_what_others_read(service: Running) -> None:
    """Through every endpoint, in every part of a call: no problem, metric or line of the log has it."""
    problems: dict[str, list[str]] = {}
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for endpoint in ENDPOINTS:
            for method, path, content, chosen in calls(service, endpoint):
                text = call(client, method, path, content, chosen)
                if found_in(text):
                    problems.setdefault(endpoint.operation, []).append(text)
        metrics = client.get("/metrics", headers=service.headers).text
    assert problems == {}
    assert found_in(metrics) == []
    lines = list(service.lines)
    assert len(lines) > 20 * len(ENDPOINTS) / 2
    assert [line for line in lines if found_in(line)] == []
    assert [line for line in lines if service.token in line] == []


def test_a_planted_leak_is_found(tmp_path: Path) -> None:
    """The same calls find an endpoint that repeats what it was asked in a problem, and one that logs it."""

    async def leak(asked: Call) -> Reply:
        structlog.get_logger("planted").warning("asked", of=asked.path["thing"])
        raise Problem("not_found", f"there is no {asked.path['thing']}")

    endpoint = row("/v1/leaks/{thing}", leak)
    with serving(tmp_path, endpoints=(endpoint,)) as served, capture_logs() as logged:
        client = httpx.Client(base_url=served.url)
        texts = [call(client, "GET", path, None, {}) for path in paths(endpoint)]
        client.close()
    assert any(found_in(text) for text in texts)
    assert any(found_in(json.dumps(line)) for line in logged)


def test_bytes_that_are_no_request_leave_no_trace(service: Running) -> None:
    """A head that is malformed or too large is told of without a word of it."""
    address = urlsplit(service.url)
    for sent in (
        f"{ADDRESS} / HTTP/1.1\r\n\r\n",
        f"GET /{PSEUDONYM} HTTP/9.9\r\n\r\n",
        f"GET / HTTP/1.1\r\n{ADDRESS} {PERSON}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {ADDRESS}\r\nConnection: close\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nCookie: {ADDRESS * 2_000}\r\n\r\n",
    ):
        with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
            connection.sendall(sent.encode())
            assert found_in(connection.recv(65_536).decode()) == []
    assert [line for line in service.lines if found_in(line)] == []


def test_the_log_says_of_each_call_what_an_operator_needs(service: Running) -> None:
    """One JSON line a call: operation, status, duration, request and token; and none of the hot path."""
    known = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"
    with httpx.Client(base_url=service.url, headers={**service.headers, "X-Request-Id": known}) as client:
        client.get("/v1/policies")
        client.post("/v1/check", json={"individual": "ida", "purpose": "hr"})
        client.get("/livez")
    told = [line for line in service.told() if line.get("request_id") == known]
    assert [line["operation"] for line in told if line["event"] == "call"] == ["policies", "livez"]
    assert set(told[0]) == {
        "event", "level", "logger", "timestamp",
        "operation", "status", "duration_ms", "request_id", "token_id",
    }  # fmt: skip
    assert told[0]["token_id"]
