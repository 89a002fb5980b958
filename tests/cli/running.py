"""Running the command line: within the test's own process, which is quick, or in one of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from choice_ledger.cli.root import root
from tests.tidy.source import ROOT

RUN_MAIN = "from choice_ledger.cli import main; main()"
EXAMPLES = ROOT / "examples"
TENANT = "telemate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is one JSON value."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Standard output, which is one JSON value a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True)
class Cli:
    """The command line on one ledger, within this process."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Ended:
        """Run a command, however it ends."""
        environment = {name: None for name in os.environ if name.startswith("CHOICE_LEDGER_")}
        runner = CliRunner(env={**environment, "CHOICE_LEDGER_HOME": str(self.home), **self.environment})
        done = runner.invoke(root, list(arguments), input=stdin)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ended(code=done.exit_code, out=done.stdout, err=done.stderr)

    def does(self, *arguments: str, stdin: bytes = b"") -> Ended:
        """Run a command that has to end well."""
        done = self(*arguments, stdin=stdin)
        assert done.code == 0, f"{arguments} ended with {done.code}: {done.err}"
        return done

    def exported(self) -> list[dict[str, Any]]:
        """Every event of the ledger but its beginning, as lines."""
        lines: list[dict[str, Any]] = self.does("export").lines
        return [line for line in lines if line["type"] != "LedgerBegun"]

    def last(self) -> dict[str, Any]:
        """The event that was recorded last."""
        return self.exported()[-1]

    def with_tenant(self, tenant: str) -> "Cli":
        """The same ledger, for another tenant."""
        return Cli(self.home, {**self.environment, "CHOICE_LEDGER_TENANT": tenant})


def command_line(*arguments: str) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-c", RUN_MAIN, *arguments]


def process_environment(home: Path | None, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of such a process: its ledger is at ``home``, if given, and nothing else is set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHOICE_LEDGER_")}
    where = {} if home is None else {"CHOICE_LEDGER_HOME": str(home)}
    return {**kept, **where, "PYTHONPATH": str(ROOT), **(more or {})}


def run_process(home: Path | None, *arguments: str, more: Mapping[str, str] | None = None) -> Ended:
    """Run a command in a process of its own."""
    done = subprocess.run(
        command_line(*arguments),
        env=process_environment(home, more),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Ended(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())
