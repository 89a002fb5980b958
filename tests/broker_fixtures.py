"""Fixtures that bring a real Kafka broker: from the environment, from Docker, or a JVM started here.

Without any of the three a test is skipped with the reason on a laptop, and *fails* when ``CI=true``: a
broker suite that silently runs nothing would look like one that passes.
"""

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

import pytest

from tests.broker.jvm_broker import ROOT, BrokerUnavailableError, JvmBroker, JvmCluster, answers

BROKERS_VARIABLE: Final = "CHOICE_LEDGER_TEST_KAFKA"
#: Docker pulls images at the first run.
DOCKER_READY_WITHIN_S: Final = 300.0
#: What the Compose file publishes on the host.
DOCKER_BROKERS: Final = "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094"
LONG_FACTOR: Final = 10


@pytest.fixture(scope="session")
def docker_compose_file() -> str:
    """Point pytest-docker at the Compose file that people use too."""
    return str(ROOT / "docker-compose.yml")


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    """Start the brokers alone: the tests bring their own ledger, and need no image of it."""
    return ["up --wait kafka-1 kafka-2 kafka-3"]


def docker_server_version() -> str:
    """The version of a running Docker engine, or an empty text: a client alone is no engine."""
    if shutil.which("docker") is None:
        return ""
    command = ["docker", "version", "--format", "{{.Server.Version}}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip() if done.returncode == 0 else ""


def no_broker(reason: str) -> NoReturn:
    message = (
        f"no Kafka broker: {reason}. Name one in {BROKERS_VARIABLE}, or install Docker, or Java 17 and Maven"
    )
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def _compose_brokers(request: pytest.FixtureRequest) -> str:
    services = request.getfixturevalue("docker_services")
    services.wait_until_responsive(
        check=lambda: all(answers(address) for address in DOCKER_BROKERS.split(",")),
        timeout=DOCKER_READY_WITHIN_S,
        pause=1.0,
    )
    return DOCKER_BROKERS


@pytest.fixture(scope="session")
def kafka_brokers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Addresses of a Kafka that the whole session shares; each test uses topics of its own on it."""
    named = os.environ.get(BROKERS_VARIABLE)
    if named:
        yield named
        return
    if docker_server_version():
        yield _compose_brokers(request)
        return
    broker = JvmBroker(tmp_path_factory.mktemp("kafka") / "shared")
    try:
        broker.start()
        yield broker.bootstrap
    except BrokerUnavailableError as unavailable:
        no_broker(str(unavailable))
    finally:
        broker.close()


@pytest.fixture(scope="session")
def faulty_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JvmBroker]:
    """One private broker for all fault tests; each leaves it running and thawed."""
    broker = JvmBroker(tmp_path_factory.mktemp("kafka") / "faulty")
    try:
        broker.start()
        yield broker
    except BrokerUnavailableError as unavailable:
        no_broker(str(unavailable))
    finally:
        broker.close()


@pytest.fixture
def jvm_cluster(tmp_path: Path) -> Iterator[JvmCluster]:
    """Three brokers of the test's own that replicate each other; it may kill any one of them."""
    cluster = JvmCluster(tmp_path)
    try:
        cluster.start()
        yield cluster
    except BrokerUnavailableError as unavailable:
        no_broker(str(unavailable))
    finally:
        cluster.close()


@pytest.fixture
def topic_prefix(request: pytest.FixtureRequest) -> str:
    """A beginning of topic names that no other test and no other run uses."""
    readable = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    return f"t-{uuid.uuid4().hex[:10]}-{readable}."


@pytest.fixture(scope="session")
def fault_scale(long_run: bool) -> int:
    """By how much fault tests multiply their counts: 1 in every run, ten in a long one."""
    return LONG_FACTOR if long_run else 1
