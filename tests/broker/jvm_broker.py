"""A Kafka broker of one node in a JVM of its own, which a test may kill, freeze and start again."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
import xml.etree.ElementTree as ET
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
POM: Final = Path(__file__).parent / "jvm" / "pom.xml"
GUARD: Final = Path(__file__).parent / "jvm" / "guard.py"
JARS: Final = ROOT / ".cache" / "kafka" / "jars"

#: A broker is ready in about 6 s on two idle cores; CI machines are shared.
READY_WITHIN_S: Final = 90.0
POLL_EVERY_S: Final = 0.05

_JVM_FLAGS: Final = ("-Xms192m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")

_SETTINGS: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "unclean.leader.election.enable": "false",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
    "log.cleaner.dedupe.buffer.size": "2097152",
    "log.cleaner.threads": "1",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A broker that was killed may register again only when its former session has ended, 9 s by default.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
}

_LOG4J: Final = """\
status = error
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %-5p %c{1} %m%n
"""


class BrokerUnavailableError(Exception):
    """No JVM broker can be had on this machine; the message says which tool is missing or what failed."""


def pinned_version() -> str:
    """The Kafka version that the pom pins, such as ``4.3.1``."""
    namespace = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = ET.parse(POM).findtext("m:properties/m:kafka.version", namespaces=namespace)
    assert found is not None, f"{POM} names no kafka.version"
    return found


def fetch_jars() -> Path:
    """The folder of the broker's jars, filled by Maven at the first call and kept for later runs.

    Raises BrokerUnavailableError when Java or Maven is missing or Maven fails.
    """
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None and not (tool == "mvn" and _jars_are_complete()):
            raise BrokerUnavailableError(
                f"{tool} is not on the PATH: install Java 17 and Maven, or name a broker"
            )
    JARS.parent.mkdir(parents=True, exist_ok=True)
    with (JARS.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _jars_are_complete():
            _run_maven()
    return JARS


def _stamp() -> Path:
    return JARS / f"complete-{pinned_version()}"


def _jars_are_complete() -> bool:
    return _stamp().exists()


def _run_maven() -> None:
    shutil.rmtree(JARS, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BrokerUnavailableError(f"Maven could not fetch the broker:\n{done.stdout}\n{done.stderr}")
    _stamp().touch()


def free_port() -> int:
    """A TCP port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class JvmBroker:
    """One broker with its own folder and fixed ports: started, killed, frozen and restarted at will.

    It dies with the process that started it, however that process ends. `close` ends it and removes its data.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str] | None = None, cluster: str | None = None
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.controller_port = free_port()
        self.settings = {**_SETTINGS, **(settings or {})}
        self._cluster = cluster or new_cluster_id()
        self._guard: subprocess.Popen[str] | None = None
        self._pid = 0

    @property
    def bootstrap(self) -> str:
        """The address that clients begin with."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the broker, on the data that it left when it ran before, and wait until it takes requests."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start the broker and do not wait."""
        jars = fetch_jars()
        if not (self.folder / "data").exists():
            self._format(jars)
        with (self.folder / "broker.log").open("a") as log:
            self._guard = subprocess.Popen(
                [sys.executable, str(GUARD), *self._java(jars, "kafka.Kafka", str(self._properties()))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._guard.stdout is not None
        self._pid = int(self._guard.stdout.readline())

    def kill(self) -> None:
        """End the broker as a power switch would (SIGKILL), and wait until it is gone; its data stay."""
        if self._guard is None:
            return
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        os.kill(self._pid, signal.SIGKILL)
        self._guard.wait()
        self._guard.stdin.close()
        self._guard.stdout.close()
        self._guard = None

    def freeze(self) -> None:
        """Stop the broker in the middle of whatever it does (SIGSTOP); connections stay open."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen broker go on (SIGCONT)."""
        os.kill(self._pid, signal.SIGCONT)

    def restart(self) -> None:
        """Kill the broker and start it again on the same port and data."""
        self.kill()
        self.start()

    def close(self) -> None:
        """Kill the broker and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_tail(self) -> str:
        """The last lines of the broker's own log, for the message of a failing test."""
        path = self.folder / "broker.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else "(no log)"

    def _properties(self) -> Path:
        listeners = f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}"
        settings = {
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            **self.settings,
            "listeners": listeners,
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": str(self.folder / "data"),
        }
        path = self.folder / "server.properties"
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        return path

    def _format(self, jars: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(_LOG4J)
        tool = self._java(
            jars, "kafka.tools.StorageTool", "format", "-t", self._cluster, "-c", str(self._properties())
        )
        done = subprocess.run(tool, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BrokerUnavailableError(
                f"the broker's folder cannot be formatted:\n{done.stdout}\n{done.stderr}"
            )

    def _java(self, jars: Path, main: str, *arguments: str) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        return ["java", *_JVM_FLAGS, log4j, "-cp", f"{jars}/*", main, *arguments]

    def wait_until_ready(self) -> None:
        """Wait until the broker serves requests, and no broker that it knows of is fenced."""
        assert self._guard is not None
        deadline = time.monotonic() + READY_WITHIN_S
        while not answers(self.bootstrap):
            if self._guard.poll() is not None or time.monotonic() > deadline:
                raise BrokerUnavailableError(f"the broker did not become ready:\n{self.log_tail()}")
            time.sleep(POLL_EVERY_S)


class JvmCluster:
    """Three brokers that replicate each other, each also a controller, as in the Compose file."""

    def __init__(self, folder: Path) -> None:
        cluster, copies = new_cluster_id(), {"offsets.topic.replication.factor": "3"}
        self.brokers = [
            JvmBroker(folder / f"node-{node}", {**copies, "node.id": str(node)}, cluster)
            for node in (1, 2, 3)
        ]
        voters = (f"{node}@127.0.0.1:{broker.controller_port}" for node, broker in enumerate(self.brokers, 1))
        listed = ",".join(voters)
        for broker in self.brokers:
            broker.settings["controller.quorum.voters"] = listed

    @property
    def bootstrap(self) -> str:
        """The addresses of all three."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    def start(self) -> None:
        """Start all three at once: none is ready before two are there."""
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait_until_ready()

    def close(self) -> None:
        """Kill all three and remove their data."""
        for broker in self.brokers:
            broker.close()


def new_cluster_id() -> str:
    """A random cluster id in the form that Kafka takes."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")


def answers(bootstrap: str) -> bool:
    """Whether a broker at the address serves metadata and knows itself as a live broker."""
    from kafka import KafkaAdminClient  # noqa: PLC0415 - costs 0.3 s, and a run without broker tests needs none.
    from kafka.errors import KafkaError  # noqa: PLC0415 - see above.

    host, _, port = bootstrap.split(",", maxsplit=1)[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap, request_timeout_ms=3000, bootstrap_timeout_ms=5000
        )
    except KafkaError:
        return False
    try:
        brokers = client.describe_cluster()["brokers"]
        return bool(brokers) and not any(broker.get("is_fenced") for broker in brokers)
    except (KafkaError, KeyError):
        return False
    finally:
        client.close()
