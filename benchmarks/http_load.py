"""Load over loopback: the same prepared requests, by the same generator, against every server.

``wrk`` where it is installed (Debian packages it); else a loop of our own in a second process, which reaches
a lower ceiling: the report says which of the two it was.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, cast

import msgspec
import uvloop

CONNECTIONS: Final = 32
RUN_S: Final = 3

_WRK_SCRIPT: Final = """\
local requests, at = {}, 0
init = function(args)
  for body in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", args[2], {
      ["Content-Type"] = "application/json", ["Authorization"] = args[3]
    }, body)
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
done = function(summary, latency, calls)
  local errors = summary.errors
  io.write(string.format(
    '\\nREPORT {"answers":%d,"micros":%d,"failed":%d,"p50_us":%d,"p99_us":%d}\\n',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


class Target(NamedTuple):
    """Where requests go, and their bodies. ``weight`` is how many questions each body holds."""

    name: str
    port: int
    path: str
    bodies: Path
    authorization: str = "-"
    weight: int = 1


class Run(NamedTuple):
    """What one run came to. Latencies are as the generator saw them, with all connections busy."""

    per_second: float
    p50_us: int
    p99_us: int


class _Report(msgspec.Struct):
    answers: int
    micros: int
    failed: int
    p50_us: int
    p99_us: int


class LoadFailed(RuntimeError):
    """A server refused a request or broke a connection: its rate would mean nothing."""


def generator() -> str:
    """The load generator that this machine has."""
    return "wrk" if shutil.which("wrk") else "benchmarks.http_load (wrk is not installed)"


def load(target: Target, seconds: float = RUN_S) -> Run:
    """Ask a server as fast as it answers, over ``CONNECTIONS`` connections. Raises LoadFailed."""
    report = _by_wrk(target, seconds) if shutil.which("wrk") else _by_python(target, seconds)
    if report.failed or not report.answers:
        raise LoadFailed(f"{target.name}: {report.failed} of {report.answers} calls failed")
    return Run(report.answers * target.weight * 1e6 / report.micros, report.p50_us, report.p99_us)


def _by_wrk(target: Target, seconds: float) -> _Report:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_WRK_SCRIPT)
        script.flush()
        command: list[str | Path] = [
            "wrk",
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds}s",
            "--timeout",
            "30s",
            "-s",
            script.name,
        ]
        command += [f"http://127.0.0.1:{target.port}", "--", target.bodies, target.path, target.authorization]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return msgspec.json.decode(told.partition("REPORT ")[2].partition("\n")[0], type=_Report)


def _by_python(target: Target, seconds: float) -> _Report:
    arguments = [target.port, target.path, target.bodies, target.authorization, seconds]
    command = [sys.executable, "-m", "benchmarks.http_load", *map(str, arguments)]
    told = subprocess.run(command, check=True, capture_output=True).stdout
    return msgspec.json.decode(told, type=_Report)


class _Asking(asyncio.Protocol):
    """One connection that sends the next request as soon as the last one is answered."""

    def __init__(self, requests: Sequence[bytes], start: int, latencies_us: list[int]) -> None:
        self.failed = 0
        self._requests = requests
        self._at = start
        self._latencies_us = latencies_us
        self._received = b""
        self._since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass of it.
        self._ask()

    def _ask(self) -> None:
        self._at = (self._at + 1) % len(self._requests)
        self._since = time.perf_counter()
        self._transport.write(self._requests[self._at])

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not blank or len(body) < int(length):
            return
        self.failed += not head.startswith(b"HTTP/1.1 200")
        self._latencies_us.append(round((time.perf_counter() - self._since) * 1e6))
        self._received = b""
        self._ask()


async def _ask_for(port: int, requests: Sequence[bytes], seconds: float) -> _Report:
    latencies_us: list[int] = []
    loop, began = asyncio.get_running_loop(), time.perf_counter()
    askings = [_Asking(requests, number * 97 % len(requests), latencies_us) for number in range(CONNECTIONS)]
    for asking in askings:
        await loop.create_connection(lambda asking=asking: asking, "127.0.0.1", port)  # type: ignore[misc]  # mypy does not infer what is bound.
    await asyncio.sleep(seconds)
    micros, latencies = round((time.perf_counter() - began) * 1e6), sorted(latencies_us)
    return _Report(
        answers=len(latencies),
        micros=micros,
        failed=sum(asking.failed for asking in askings),
        p50_us=latencies[len(latencies) // 2],
        p99_us=latencies[len(latencies) * 99 // 100],
    )


def main() -> None:
    """Be the load generator where there is no other: write a report to standard output."""
    port, path, bodies, authorization, seconds = sys.argv[1:]
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Authorization: {authorization}\r\nContent-Length: "
    ).encode()
    requests = [head + b"%d\r\n\r\n" % len(body) + body for body in Path(bodies).read_bytes().splitlines()]
    report = uvloop.run(_ask_for(int(port), requests, float(seconds)))
    sys.stdout.buffer.write(msgspec.json.encode(report))


if __name__ == "__main__":
    main()
