"""What starting the command costs: nothing heavy is imported before it is needed."""

import os
import re
import subprocess
import sys

import pytest

from tests.tidy.source import ROOT

# Each takes as long to import as the whole answer may take.
HEAVY = ("kafka", "litestar", "httpx")
HELP_S_MAX = 0.3
# The first try may compile the modules.
TRIES = 10
IMPORTED = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s+([\w.]+)$", re.MULTILINE)
RUN_MAIN = (
    "import sys; sys.argv[:] = ['choice-ledger', *sys.argv[1:]]; from choice_ledger.cli import main; main()"
)


def run(*arguments: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command in a fresh interpreter."""
    command = [sys.executable, *flags, "-c", RUN_MAIN, *arguments]
    # As installed: with compiled modules, whatever the tests' own interpreter was told.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def processor_time(*arguments: str) -> float:
    """Seconds of processor time that the command takes: what a busy machine does not change."""
    before = os.times()
    assert run(*arguments).returncode == 0
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def imported_by(*arguments: str) -> set[str]:
    """The top-level packages that the command imports with these arguments."""
    done = run(*arguments, flags=("-X", "importtime"))
    assert done.returncode == 0, done.stderr[-2_000:]
    return {name.partition(".")[0] for name in IMPORTED.findall(done.stderr)}


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("policy", "--help"), ("check", "--help")]
)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Help is printed without importing the Kafka client or a web library."""
    imported = imported_by(*arguments)
    assert "choice_ledger" in imported
    assert imported & set(HEAVY) == set()


def test_imports_are_seen() -> None:
    """The reader of import times sees what is imported: it is shown a module that is."""
    done = run(flags=("-X", "importtime", "-c", "import fastavro"))
    assert "fastavro" in set(IMPORTED.findall(done.stderr))


def test_help_is_quick() -> None:
    """`--help` takes under 300 ms of processor time, on the quickest of ten tries."""
    assert min(processor_time("--help") for _ in range(TRIES)) < HELP_S_MAX
