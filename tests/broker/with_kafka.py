"""Run a command beside a Kafka broker: `python -m tests.broker.with_kafka choice-ledger demo`.

The broker is the one that `CHOICE_LEDGER_KAFKA` names; else the three of `docker-compose.yml`, where a
Docker engine runs, which stay up; else one in a JVM of its own, which ends with the command.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.broker.jvm_broker import ROOT, BrokerUnavailableError, JvmBroker
from tests.broker_fixtures import DOCKER_BROKERS, docker_server_version

ADDRESS = "CHOICE_LEDGER_KAFKA"
COMPOSE_UP = ["docker", "compose", "up", "--wait", "kafka-1", "kafka-2", "kafka-3"]
LONE = {"CHOICE_LEDGER_KAFKA_REPLICATION": "1", "CHOICE_LEDGER_KAFKA_MIN_INSYNC": "1"}


@contextmanager
def kafka_at_hand() -> Iterator[Mapping[str, str]]:
    """The settings, as environment variables, that lead to a broker for as long as the context lasts."""
    if os.environ.get(ADDRESS):
        yield {}
    elif docker_server_version():
        subprocess.run(COMPOSE_UP, cwd=ROOT, check=True)
        yield {ADDRESS: DOCKER_BROKERS}
    else:
        with tempfile.TemporaryDirectory(prefix="choice-ledger-kafka-") as folder:
            broker = JvmBroker(Path(folder) / "broker")
            try:
                broker.start()
                yield {ADDRESS: broker.bootstrap, **LONE}
                _linger(broker.bootstrap)
            finally:
                broker.close()


def _linger(address: str) -> None:
    """At a terminal, keep the broker for those who want to look around on it."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        input(f"\nThe broker at {address} was started for this, and ends with it. Press Enter to end it. ")


def main() -> int:
    """Run the command of the arguments; its own exit code, or 1 where no broker can be had."""
    if not sys.argv[1:]:
        sys.stderr.write("say which command to run: python -m tests.broker.with_kafka choice-ledger demo\n")
        return 2
    try:
        with kafka_at_hand() as settings:
            return subprocess.run(sys.argv[1:], env={**os.environ, **settings}, check=False).returncode
    except BrokerUnavailableError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
