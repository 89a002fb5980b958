"""Stopping: announced, then graceful within a bound, then at once; and nothing acknowledged is lost."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from choice_ledger.exits import ExitCode, Failure
from choice_ledger.http.server import STOP_NOTICE_S, STOP_WAIT_S, address_of, listening
from tests.http.process import Running, running
from tests.tidy.source import ROOT

DESCRIBED = {"jurisdiction": "US", "populations": ["visitor"], "locale": "en"}


class Writers:
    """Threads that record one event after another, and remember what each was told."""

    def __init__(self, service: Running, number: int) -> None:
        self._service = service
        self.acknowledged: list[str] = []
        self.failed: list[str] = []
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(number)]
        for thread in self._threads:
            thread.start()

    def _write(self, number: int) -> None:
        with httpx.Client(base_url=self._service.url, headers=self._service.headers, timeout=30) as client:
            for count in range(10_000):
                body = {"individual": f"w{number}-{count}", **DESCRIBED}
                try:
                    answer = client.post("/v1/descriptions", json=body)
                except httpx.HTTPError as fault:
                    self.failed.append(type(fault).__name__)
                    return
                if answer.status_code != 201:
                    self.failed.append(answer.json()["type"])
                    return
                self.acknowledged.append(answer.json()["event_id"])

    def wait_for(self, number: int) -> None:
        """Wait until so many events are acknowledged."""
        until = time.monotonic() + 30
        while len(self.acknowledged) < number and time.monotonic() < until:
            time.sleep(0.01)
        assert len(self.acknowledged) >= number, self.failed

    def ended(self) -> None:
        """Wait for all threads."""
        for thread in self._threads:
            thread.join()


def ids_in_the_log(home: Path) -> set[str]:
    """The ids of all events, as a process that comes after finds them."""
    arguments = [sys.executable, "-m", "choice_ledger", "export", "--home", str(home)]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    return {line["event_id"] for line in map(json.loads, done.stdout.splitlines()) if "event_id" in line}


def slow_append(wait_s: float) -> list[str]:
    """The same service, on a log that takes its time before each append to a stream of individuals."""
    return ["-m", "tests.http.slow_log", str(wait_s)]


def describe(service: Running, individual: str = "ida") -> httpx.Response:
    body = {"individual": individual, **DESCRIBED}
    return httpx.post(f"{service.url}/v1/descriptions", json=body, headers=service.headers, timeout=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_acknowledged_before_and_during_a_stop_is_in_the_log(tmp_path: Path, number: int) -> None:
    """Eight writers at full speed: every receipt's event is there afterwards, no call that was taken ends in
    anything else, and the process ends with 0.
    """
    with running(tmp_path) as service:
        writers = Writers(service, 8)
        writers.wait_for(50)
        service.stop(number)
        assert service.ended() == 0
        writers.ended()
    assert service.told()[-1]["event"] == "stopped"
    assert set(writers.acknowledged) <= ids_in_the_log(tmp_path)
    # Connections end between two calls; a call that was taken is answered.
    assert set(writers.failed) <= {"ConnectError", "ReadError", "RemoteProtocolError"}


def test_a_write_under_way_gets_its_receipt(tmp_path: Path) -> None:
    """A stop that comes while an event is being appended waits for it, and the receipt goes out."""
    with running(tmp_path, slow_append(STOP_NOTICE_S + 1)) as service, ThreadPoolExecutor() as pool:
        writing = pool.submit(describe, service)
        time.sleep(0.5)
        service.stop()
        receipt = writing.result()
        assert service.ended() == 0
    assert (receipt.status_code, receipt.json()["outcome"]) == (201, "acknowledged")
    assert receipt.json()["event_id"] in ids_in_the_log(tmp_path)


def test_a_stop_is_announced_before_calls_are_refused(tmp_path: Path) -> None:
    """For a while `/readyz` says no while calls over new connections are still answered; then none is."""
    with running(tmp_path) as service:
        assert httpx.get(f"{service.url}/readyz").status_code == 200
        service.stop()
        time.sleep(STOP_NOTICE_S / 4)
        answer = httpx.get(f"{service.url}/readyz?verbose", headers=service.headers)
        assert describe(service).status_code == 201
        assert service.ended() == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{service.url}/readyz")
    assert answer.status_code == 503
    failed = [check for check in answer.json()["checks"] if not check["ok"]]
    assert [check["check"] for check in failed] == ["running"]


def test_what_takes_too_long_is_broken_off(tmp_path: Path) -> None:
    """A call that has not ended within `STOP_WAIT_S` is told that nothing is known of it: sent again with its
    event id it is recorded once, and the process ends all the same.
    """
    began = time.monotonic()
    with running(tmp_path, slow_append(STOP_WAIT_S + 5)) as service, ThreadPoolExecutor() as pool:
        writing = pool.submit(describe, service)
        time.sleep(0.5)
        service.stop()
        answer = writing.result()
        assert service.ended() == 0
    assert time.monotonic() - began > STOP_WAIT_S
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/stopped")
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(tmp_path: Path, number: int) -> None:
    """Whoever cannot wait sends the signal again: the exit code then says which signal it was."""
    with running(tmp_path, slow_append(60)) as service, ThreadPoolExecutor() as pool:
        writing = pool.submit(describe, service)
        time.sleep(0.5)
        service.stop(number)
        time.sleep(0.3)
        began = time.monotonic()
        service.stop(number)
        assert service.ended() == 128 + number
        assert time.monotonic() - began < 2
        with pytest.raises(httpx.HTTPError):
            writing.result()


def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    """Where another listens already the command ends with 5, and says what to choose."""
    (taken,) = listening("127.0.0.1", 0)
    arguments = [sys.executable, "-m", "choice_ledger", "serve", "--home", str(tmp_path)]
    environment = {**os.environ, "CHOICE_LEDGER_PORT": address_of(taken).rpartition(":")[2]}
    done = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    taken.close()
    assert done.returncode == ExitCode.UNAVAILABLE
    assert "choose another host or port" in done.stderr


def test_a_host_without_an_address_is_told() -> None:
    """A name that means nothing is refused before anything is opened."""
    with pytest.raises(Failure, match="choose another host or port"):
        listening("no-such-host.invalid", 0)


def test_a_service_listens_on_every_address_of_its_host() -> None:
    """`localhost` may mean two addresses; both get the same port."""
    sockets = listening("localhost", 0)
    assert len({address_of(listener).rpartition(":")[2] for listener in sockets}) == 1
    for listener in sockets:
        listener.close()
