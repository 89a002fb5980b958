"""The servers of the HTTP benchmark: each a process on a port of its own, given the same world.

Open Policy Agent and OpenFGA install from the Go module proxy into ``.cache/peers`` and stay there; where
there is no Go they are left out, and the report says so.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.http_world import FGA_MODEL, REGO, TENANT, Asked, Person, event_lines, fga_tuples, rego_data

PEERS: Final = Path(__file__).parent.parent / ".cache" / "peers"
MODULES: Final = {
    "opa": "github.com/open-policy-agent/opa@latest",
    "openfga": "github.com/openfga/openfga/cmd/openfga@latest",
}
STARTED_WITHIN_S: Final = 60
TUPLES_A_WRITE: Final = 100
"""OpenFGA takes no more in one call."""

ENDLESS_RATE: Final = "1000000"
"""Calls a second of one token: a benchmark is one caller, whom the default would hold back."""


def installed(name: str) -> Path | None:
    """The program of a peer, installed where Go is; none where it is not."""
    program = PEERS / name
    if not program.exists():
        if shutil.which("go") is None:
            return None
        PEERS.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"GOBIN": str(PEERS)}
        subprocess.run(["go", "install", MODULES[name]], env=environment, cwd=PEERS, check=True)
    return program


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port


def call(port: int, path: str, body: object = None, authorization: str = "", method: str = "") -> Any:  # noqa: ANN401 - JSON, as it comes
    """The JSON that a server answers. A body that is bytes is sent as it is."""
    data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
    headers = {"Content-Type": "application/json"} | (
        {"Authorization": authorization} if authorization else {}
    )
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data=data, headers=headers, method=method or None
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        raw = response.read()
    return msgspec.json.decode(raw) if raw.startswith((b"{", b"[")) else raw


@contextmanager
def running(
    command: Sequence[str | Path], port: int, ready: str, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """A server until the context ends. ``ready`` is an address of it that answers once it is up."""
    process = subprocess.Popen(
        command,
        env=os.environ | dict(environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(process, port, ready)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: "subprocess.Popen[bytes]", port: int, ready: str) -> None:
    deadline = time.monotonic() + STARTED_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            call(port, ready)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} did not start")


@contextmanager
def bare() -> Iterator[int]:
    """The floor: a constant."""
    port = free_port()
    with running([sys.executable, "-m", "benchmarks.http_bare", str(port)], port, "/") as served:
        yield served


def ledger_of(folder: Path, persons: Sequence[Person]) -> str:
    """A ledger in a folder that holds the world. Returns a token for it."""
    lines = folder / "events.ndjson"
    lines.write_bytes(b"".join(line + b"\n" for line in event_lines(persons)))
    _command(folder, "import", str(lines))
    return _command(folder, "token", "create", "bench", "--scope", "check")


def _command(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "choice_ledger", *arguments]
    done = subprocess.run(command, env=os.environ | _settings(folder), check=True, stdout=subprocess.PIPE)
    return done.stdout.decode().strip().splitlines()[-1]


def _settings(folder: Path) -> dict[str, str]:
    named = {
        "HOME": str(folder / "home"),
        "TENANT": TENANT,
        "RATE_PER_S": ENDLESS_RATE,
        "RATE_BURST": ENDLESS_RATE,
    }
    return {f"CHOICE_LEDGER_{name}": value for name, value in named.items()}


@contextmanager
def ours(folder: Path) -> Iterator[int]:
    """The choice ledger as its own command serves it."""
    port = free_port()
    settings = _settings(folder) | {"CHOICE_LEDGER_PORT": str(port)}
    with running([sys.executable, "-m", "choice_ledger", "serve"], port, "/livez", settings) as served:
        yield served


@contextmanager
def open_policy_agent(program: Path, folder: Path, persons: Sequence[Person]) -> Iterator[int]:
    """Open Policy Agent with the policy and its data in memory."""
    port, policy, data = free_port(), folder / "consent.rego", folder / "data.json"
    policy.write_text(REGO)
    data.write_bytes(rego_data(persons))
    command: list[str | Path] = [program, "run", "--server", "--addr", f"127.0.0.1:{port}"]
    with running(
        [*command, "--log-level", "error", "--disable-telemetry", policy, data], port, "/health"
    ) as served:
        yield served


@contextmanager
def openfga(program: Path, folder: Path, persons: Sequence[Person]) -> Iterator[tuple[int, str, str]]:
    """OpenFGA with the tuples in SQLite: its port, and the ids of the store and of the model.

    Its store in memory goes through all tuples for each answer, and was forty times slower with this many.
    """
    port, grpc = free_port(), free_port()
    datastore = ["--datastore-engine", "sqlite", "--datastore-uri", f"file:{folder / 'openfga.sqlite'}"]
    subprocess.run([program, "migrate", *datastore], check=True, capture_output=True)
    command: list[str | Path] = [program, "run", "--http-addr", f"127.0.0.1:{port}", "--log-level", "none"]
    command += ["--grpc-addr", f"127.0.0.1:{grpc}", "--playground-enabled=false", "--metrics-enabled=false"]
    command += [*datastore, "--max-checks-per-batch-check", "100"]
    with running(command, port, "/healthz"):
        store = call(port, "/stores", {"name": "consent"})["id"]
        model = call(port, f"/stores/{store}/authorization-models", FGA_MODEL)["authorization_model_id"]
        tuples = fga_tuples(persons)
        while batch := list(islice(tuples, TUPLES_A_WRITE)):
            body = {"writes": {"tuple_keys": batch}, "authorization_model_id": model}
            call(port, f"/stores/{store}/write", body)
        yield port, store, model


def batches(asked: Sequence[Asked], size: int) -> Iterator[Sequence[Asked]]:
    """Questions by so many at once; a rest that fills no batch is left out."""
    return (asked[start : start + size] for start in range(0, len(asked) - size + 1, size))
