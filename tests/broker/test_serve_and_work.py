"""`serve --no-work` beside `work` on Kafka: two processes, one home, and what they say when one is away."""

import json
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from choice_ledger.settings import Settings, load
from choice_ledger.wiring import open_ledger
from events.streams import Position
from tests.broker.jvm_broker import JvmBroker
from tests.broker.with_kafka import ADDRESS, LONE
from tests.cli.running import Cli, command_line, process_environment
from tests.simulation.opt_out_trial import PURPOSE, Answered, Crowd

pytestmark = [pytest.mark.broker, pytest.mark.timeout(900)]

WITHIN_S = 90.0
ROUNDS = 10
READY = {"work": "the state is up", "serve": '"serving"'}


class Pair:
    """Both processes on one home, and a client of the one that serves."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        self.environment = environment
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.url = ""
        made = Cli(home, environment).does(
            "token", "create", "trial", "--scope", "record", "--scope", "check", "--json"
        )
        self.token = str(made.json["token"])

    def settings(self) -> Settings:
        """The settings of all three."""
        names = {"CHOICE_LEDGER_HOME": str(self.home), **self.environment}
        return load({}, names).settings

    def begin(self, *arguments: str) -> None:
        """Start one of them, and wait until it says that it is up."""
        name = arguments[0]
        log = self.home / f"{name}-{uuid.uuid4().hex}.log"
        with log.open("wb") as file:
            self.running[name] = subprocess.Popen(
                command_line(*arguments), env=process_environment(self.home, self.environment), stderr=file
            )
        until(lambda: READY[name] in log.read_text(), f"{name} does not come up")
        if name == "serve":
            told = next(line for line in log.read_text().splitlines() if READY[name] in line)
            self.url = json.loads(told)["addresses"][0]

    def kill(self, name: str) -> None:
        """End one of them at once."""
        self.running[name].kill()
        self.running.pop(name).wait()

    def close(self) -> None:
        """Tell what still runs to end."""
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """One call, however long it takes."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.post(self.url + path, json=body, headers=headers, timeout=WITHIN_S)

    def ask(self, individual: str, after: Position | None = None, wait_ms: int = 10_000) -> Answered:
        """What is permitted now."""
        freshness = {} if after is None else {"after": after.encode(), "wait_ms": wait_ms}
        body = {"individual": individual, "purpose": PURPOSE, **freshness}
        answer = self.post("/v1/check", body).raise_for_status().json()
        return Answered(answer["permitted"], answer["reason"])

    def send(self, individual: str, decision: str, event_id: str) -> httpx.Response:
        """Record a choice under that id."""
        purposes = ["website"] if decision == "opt_out" else [PURPOSE]
        body = {"individual": individual, "decision": decision, "purposes": purposes, "event_id": event_id}
        return self.post("/v1/choices", body)

    def change(self, individual: str, decision: str) -> Position:
        """Record a choice; the position of its receipt."""
        receipt = self.send(individual, decision, str(uuid.uuid4())).raise_for_status().json()
        return Position.decode(receipt["position"])

    def change_at_last(self, individual: str, decision: str, event_id: str) -> Position:
        """Send it again for as long as its outcome is unknown."""
        sent = self.send(individual, decision, event_id)
        for _ in range(10):
            if sent.status_code != 503:
                break
            assert sent.json()["type"] in {"/problems/unknown", "/problems/unavailable"}
            if sent.json()["type"] == "/problems/unknown":
                assert sent.json()["event_id"] == event_id
            sent = self.send(individual, decision, event_id)
        assert sent.status_code in {200, 201}, sent.text
        return Position.decode(sent.json()["position"])


def until(is_so: Callable[[], bool], otherwise: str) -> None:
    """Wait for it."""
    deadline = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)


@contextmanager
def pair_on(broker: str, prefix: str, home: Path) -> Iterator[Pair]:
    """A ledger on topics of its own, with both processes up."""
    environment = {
        ADDRESS: broker,
        **LONE,
        "CHOICE_LEDGER_KAFKA_TOPIC_INDIVIDUALS": f"{prefix}individuals",
        "CHOICE_LEDGER_KAFKA_TOPIC_POLICIES": f"{prefix}policies",
        "CHOICE_LEDGER_KAFKA_PARTITIONS": "3",
        "CHOICE_LEDGER_PORT": "0",
    }
    Cli(home, environment).does("topics", "create")
    pair = Pair(home, environment)
    try:
        pair.begin("work")
        pair.begin("serve", "--no-work")
        yield pair
    finally:
        pair.close()


def test_two_processes_keep_the_promise_and_say_what_they_cannot(
    faulty_broker: JvmBroker, topic_prefix: str, tmp_path: Path, count: Callable[..., None]
) -> None:
    """Beside each other they answer as one; without the broker, or without `work`, `stale`; then they mend.

    An opt-out that was sent while a part was away is one event, however often it was sent, and holds.
    """
    with pair_on(faulty_broker.bootstrap, topic_prefix, tmp_path) as pair:
        with open_ledger(pair.settings()) as ledger:
            crowd = Crowd(ledger, pair.ask, 7, writers=2, change=pair.change)
            trial = crowd.run(ROUNDS)
        count("opt-outs on Kafka", acknowledged=trial.acknowledged, asked=trial.asked, stale=trial.stale)
        assert trial.findings == []
        _without_work(pair)
        _without_the_broker(pair, faulty_broker)


def _without_work(pair: Pair) -> None:
    """Nothing is folded: what is written is unknown, and answers grow stale; `work` again mends both."""
    pair.kill("work")
    event_id = str(uuid.uuid4())
    sent = pair.send("person-0-0", "opt_out", event_id)
    assert (sent.status_code, sent.json()["event_id"]) == (503, event_id)
    assert pair.ask("person-0-0").reason == "stale"
    pair.begin("work")
    position = pair.change_at_last("person-0-0", "opt_out", event_id)
    assert pair.ask("person-0-0", position) == Answered(False, "opted_out")
    until(lambda: pair.ask("person-0-0") == Answered(False, "opted_out"), "the service stays stale")


def _without_the_broker(pair: Pair, broker: JvmBroker) -> None:
    """The log is away: every answer ends `stale`, and is right again once the broker is back."""
    pair.change("person-1-1", "opt_in")
    assert pair.ask("person-1-1").permitted
    broker.kill()
    event_id = str(uuid.uuid4())
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(pair.change_at_last, "person-1-1", "opt_out", event_id)
        until(
            lambda: pair.ask("person-1-1").reason == "stale", "the service takes old answers for fresh ones"
        )
        broker.start()
        position = sending.result()
    until(lambda: pair.ask("person-1-1").reason != "stale", "the service does not recover")
    assert pair.ask("person-1-1", position) == Answered(False, "opted_out")
    assert pair.ask("person-1-1") == Answered(False, "opted_out")
    assert pair.change_at_last("person-1-1", "opt_out", event_id) == position
