"""The service as an operator runs it: ``choice-ledger serve`` in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from choice_ledger.access import SCOPES
from choice_ledger.settings import Settings
from choice_ledger.wiring import new_id, now, token_file
from events.instants import DAY
from tests.tidy.source import ROOT

STARTED_WITHIN_S = 30.0
ENDED_WITHIN_S = 30.0


@dataclass
class Running:
    """A process that serves, the address it told, and the lines it has logged."""

    process: subprocess.Popen[str]
    token: str
    url: str = ""
    lines: list[str] = field(default_factory=list)
    serving: threading.Event = field(default_factory=threading.Event)

    @property
    def headers(self) -> dict[str, str]:
        """What lets a call in."""
        return {"Authorization": f"Bearer {self.token}"}

    def told(self) -> list[dict[str, Any]]:
        """What was logged; every line has to be JSON."""
        return [json.loads(line) for line in self.lines]

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait until the process has ended, and give its exit code."""
        return self.process.wait(ENDED_WITHIN_S)


@contextmanager
def running(home: Path, command: list[str] | None = None, **environment: str) -> Iterator[Running]:
    """The service on a home directory, until the context ends; ``command`` is what to run instead."""
    token = token_file(Settings(home=str(home))).create(
        token_id=new_id(), name="tester", tenant="main", scopes=SCOPES, now=now(), expires_at=now() + DAY
    )
    chosen = {**os.environ, "CHOICE_LEDGER_PORT": "0", "CHOICE_LEDGER_HOME": str(home), **environment}
    process = subprocess.Popen(
        [sys.executable, *(command or ["-m", "choice_ledger", "serve"])],
        cwd=ROOT, env=chosen, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    service = Running(process, token)
    reader = threading.Thread(target=_read, args=(service,), daemon=True)
    reader.start()
    try:
        assert service.serving.wait(STARTED_WITHIN_S), "\n".join(service.lines)
        yield service
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join()
        assert process.stderr is not None
        process.stderr.close()


def _read(service: Running) -> None:
    assert service.process.stderr is not None
    for line in service.process.stderr:
        service.lines.append(line)
        if '"serving"' in line:
            service.url = json.loads(line)["addresses"][0]
            service.serving.set()
