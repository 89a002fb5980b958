"""What starting the command costs: nothing heavy is imported before it is needed."""

import re
import subprocess
import sys
import time

import pytest

from tests.tidy.source import ROOT

# Each takes longer to import than the whole answer may take.
HEAVY = ("kafka", "litestar", "httpx", "apsw", "fastavro")
HELP_S_MAX = 0.3
# A shared machine may be busy once, but not every time.
TRIES = 10
IMPORTED = re.compile(r"^import time:\s+\d+ \|\s+\d+ \|\s+([\w.]+)$", re.MULTILINE)
RUN_MAIN = (
    "import sys; sys.argv[:] = ['choice-ledger', *sys.argv[1:]]; from choice_ledger.cli import main; main()"
)


def run(*arguments: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command in a fresh interpreter."""
    command = [sys.executable, *flags, "-c", RUN_MAIN, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def imported_by(*arguments: str) -> set[str]:
    """The top-level packages that the command imports with these arguments."""
    done = run(*arguments, flags=("-X", "importtime"))
    assert done.returncode == 0, done.stderr[-2_000:]
    return {name.partition(".")[0] for name in IMPORTED.findall(done.stderr)}


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("policy", "--help"), ("check", "--help")]
)
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    """Help is printed without importing the Kafka client, the database, the codec or a web library."""
    imported = imported_by(*arguments)
    assert "choice_ledger" in imported
    assert imported & set(HEAVY) == set()


def test_imports_are_seen() -> None:
    """The reader of import times sees what is imported: it is shown a module that is."""
    done = run(flags=("-X", "importtime", "-c", "import fastavro"))
    assert "fastavro" in set(IMPORTED.findall(done.stderr))


def test_help_is_quick() -> None:
    """`--help` answers in under 300 ms, on the quickest of ten tries."""
    quickest = HELP_S_MAX
    for _ in range(TRIES):
        begun = time.perf_counter()
        assert run("--help").returncode == 0
        quickest = min(quickest, time.perf_counter() - begun)
        if quickest < HELP_S_MAX:
            break
    assert quickest < HELP_S_MAX
