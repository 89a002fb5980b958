"""What a harness counted: printed at the end of every run, and written down after a long one.

A harness (histories, kills, edits) calls `count("name", seed=…, questions=…)`. A short run prints the
counts. A long run that passed also writes `docs/reports/long.json`: the counts, the commit and the machine.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.options import is_long

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "docs" / "reports" / "long.json"

Counts = dict[str, dict[str, int | str]]
COUNTS: pytest.StashKey[Counts] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with no counts."""
    config.stash[COUNTS] = {}


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Say what this harness did: `count("name", seed=1, questions=40_000)`."""

    def add(name: str, **counts: int | str) -> None:
        request.config.stash[COUNTS][name] = counts

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print every count of this run, a line each."""
    counts = config.stash[COUNTS]
    if counts:
        terminalreporter.section("counted")
        for name, values in sorted(counts.items()):
            terminalreporter.write_line(f"{name}: {', '.join(f'{key} {values[key]}' for key in values)}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the counts of a long run down, where every harness of it ran and passed."""
    counts = session.config.stash[COUNTS]
    if is_long(session.config) and exitstatus == pytest.ExitCode.OK and counts:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(json.dumps(_report(counts), indent=1) + "\n", encoding="utf-8")


def _report(counts: Counts) -> dict[str, object]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "machine": machine(),
        "counts": dict(sorted(counts.items())),
    }


def commit() -> str:
    """The commit that is checked out, and whether anything differs from it."""
    head, changed = (
        subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        for words in (("rev-parse", "HEAD"), ("status", "--porcelain"))
    )
    return (head.stdout.strip() or "unknown") + (" with changes" if changed.stdout.strip() else "")


def machine() -> dict[str, object]:
    """What a reader needs to know of where it ran."""
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": sys.version.split()[0],
    }
