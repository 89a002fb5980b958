"""Killed in the middle of writes: what was acknowledged stands, and what is sent again is one event."""

import itertools
import json
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from choice_ledger.settings import Settings
from choice_ledger.wiring import new_id, now, token_file
from events.instants import DAY
from tests.cli.running import Cli, command_line, process_environment

STARTED_WITHIN_S = 60.0
WRITERS = 8
CHOICES_OF_EACH = 40
KILLED_AFTER = (40, 120)


@contextmanager
def server(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`choice-ledger serve` in a process of its own, and where it listens."""
    environment = process_environment(home, {"CHOICE_LEDGER_PORT": "0"})
    with (home / "serve.log").open("ab") as log:
        start = log.tell()
        process = subprocess.Popen(command_line("serve"), env=environment, stdout=log, stderr=log)
    try:
        yield process, address(home / "serve.log", start, process)
    finally:
        process.kill()
        process.wait()


def address(log: Path, start: int, process: subprocess.Popen[bytes]) -> str:
    """The address that a server says it listens on, once it answers there."""
    deadline = time.monotonic() + STARTED_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_bytes()[start:].splitlines():
            said = json.loads(line) if line.startswith(b"{") and line.endswith(b"}") else {}
            if said.get("event") == "serving":
                return url_that_answers(str(said["addresses"][0]), deadline)
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_bytes()[start:]!r}")


def url_that_answers(listening: str, deadline: float) -> str:
    """The address as a URL, once the service is alive there."""
    url = listening if listening.startswith("http") else f"http://{listening}"
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/livez").status_code == 200:
                return url
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server listens and does not answer")


def choice(number: int, event_id: str) -> dict[str, Any]:
    """One of many choices, each another one."""
    return {
        "individual": f"person-{number % 7}",
        "decision": "opt_out",
        "purposes": [f"website.purpose-{number}"],
        "event_id": event_id,
    }


def send_all(
    url: str, token: str, bodies: list[dict[str, Any]], answered: Callable[[], None] = lambda: None
) -> dict[str, dict[str, Any]]:
    """Send bodies one after another until the server is gone; the receipts of those that were answered."""
    receipts: dict[str, dict[str, Any]] = {}
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        for body in bodies:
            try:
                response = client.post("/v1/choices", json=body)
            except httpx.TransportError:
                break
            assert response.status_code in {200, 201}, response.text
            receipts[body["event_id"]] = response.json()
            answered()
    return receipts


@pytest.mark.parametrize("killed_after", KILLED_AFTER)
def test_what_is_sent_again_after_a_kill_is_one_event(tmp_path: Path, killed_after: int) -> None:
    """A server is killed with SIGKILL in the middle of writes. Started again, it is sent every event once
    more: what it had acknowledged it answers as that, and each event is in the log exactly once.
    """
    home = tmp_path / "home"
    Cli(home).does("doctor")
    at = now()
    token = token_file(Settings(home=str(home))).create(
        token_id=new_id(), name="writer", tenant="main", scopes=("record",), now=at, expires_at=at + DAY
    )
    ids = [str(uuid.uuid4()) for _ in range(WRITERS * CHOICES_OF_EACH)]
    bodies = [choice(number, event_id) for number, event_id in enumerate(ids)]
    parts = [bodies[start::WRITERS] for start in range(WRITERS)]
    count = itertools.count(1)
    with server(home) as (process, url), ThreadPoolExecutor(WRITERS) as pool:

        def kill_in_the_middle() -> None:
            if next(count) == killed_after:
                process.send_signal(signal.SIGKILL)

        sent = list(pool.map(lambda part: send_all(url, token, part, kill_in_the_middle), parts))
    acknowledged = {event_id: told for receipts in sent for event_id, told in receipts.items()}
    assert killed_after <= len(acknowledged) < len(bodies)
    stored = [line["event_id"] for line in Cli(home).exported()]
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
    with server(home) as (_, url):
        again = send_all(url, token, bodies)
    assert len(again) == len(bodies)
    for event_id, told in acknowledged.items():
        assert again[event_id]["repeated"] is True
        assert again[event_id]["recorded_at"] == told["recorded_at"]
    assert sum(not told["repeated"] for told in again.values()) == len(bodies) - len(stored)
    lines = Cli(home).exported()
    assert sorted(line["event_id"] for line in lines) == sorted(ids)
    by_id = {body["event_id"]: body for body in bodies}
    assert all(line["purposes"] == by_id[line["event_id"]]["purposes"] for line in lines)
