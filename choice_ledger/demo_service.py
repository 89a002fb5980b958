"""The demo's last step: the same questions, put to the HTTP service on the demo's ledger."""

import asyncio
import http.client
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from choice_ledger.access import Scope
from choice_ledger.demo import TENANT, DemoFault, examples
from choice_ledger.http.app import application
from choice_ledger.http.opening import open_service
from choice_ledger.http.server import Server, address_of, listening
from choice_ledger.settings import Settings
from choice_ledger.wiring import new_id, now, token_file
from events.instants import DAY

TOKEN_NAME: Final = "demo"  # noqa: S105 - how a token is called is no secret
TOKEN_SCOPES: Final[tuple[Scope, ...]] = ("check", "audit", "record")
TOKEN_DAYS: Final = 1
"""How long the demo's token is good."""

ANSWER_WAIT_S: Final = 30


def make_token(settings: Settings) -> str:
    """A token for calls to the demo's ledger, good for a day."""
    at = now()
    return token_file(settings).create(
        token_id=new_id(),
        name=TOKEN_NAME,
        tenant=TENANT,
        scopes=TOKEN_SCOPES,
        now=at,
        expires_at=at + TOKEN_DAYS * DAY,
    )


async def ask_over_http(settings: Settings, token: str) -> int:
    """Start the service, put the example's questions to it, and hold its answers to the example's.

    How many there were. Raises DemoFault where one differs.
    """
    questions = [_without_tenant(line) for line in _lines("questions.ndjson")]
    expected = [msgspec.json.decode(line) for line in _lines("answers.ndjson")]
    (listener,) = listening("127.0.0.1", 0)
    with listener, open_service(settings, stopping=lambda: False) as service:
        server = Server(application(service), stop_notice_s=0)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            given = await asyncio.to_thread(_decisions, address_of(listener), token, questions)
        finally:
            server.should_exit = True
            await serving
    if [{name: answer[name] for name in expected[0]} for answer in given] != expected:
        raise DemoFault("the service's answers are not those of examples/answers.ndjson")
    return len(given)


def _decisions(url: str, token: str, questions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_WAIT_S)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = msgspec.json.encode({"questions": questions})
    connection.request("POST", "/v1/checks", body, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    if response.status != 200:
        raise DemoFault(f"the service answers {response.status} to the example's questions")
    decisions: list[dict[str, Any]] = msgspec.json.decode(content)["decisions"]
    return decisions


def _lines(name: str) -> list[bytes]:
    return (examples() / name).read_bytes().splitlines()


def _without_tenant(line: bytes) -> dict[str, Any]:
    """A question as the service takes it: its tenant is the token's."""
    question: dict[str, Any] = msgspec.json.decode(line)
    return {name: value for name, value in question.items() if name != "tenant"}
