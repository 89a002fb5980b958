"""`work`: the state kept up by one process while others record, and how it ends."""

import signal
import subprocess
import time

import pytest

from tests.cli.lines import choice_lines
from tests.cli.running import Cli, command_line, process_environment

READY = "the state is up with the log"
WITHIN_S = 30.0
LINES = 50


def lag_of(cli: Cli) -> str:
    """What the doctor says of how far the state is behind; it folds nothing."""
    checks = cli("doctor", "--json").json
    return str(next(check["message"] for check in checks if check["check"] == "lag"))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_work_folds_what_others_record(cli: Cli, ending: signal.Signals) -> None:
    """What another process imports is in the state soon, and the signal ends it in order."""
    cli.does("doctor")
    with subprocess.Popen(
        command_line("work"),
        env=process_environment(cli.home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert READY in process.stderr.readline()
        cli.does("import", "-", stdin=choice_lines(LINES))
        deadline = time.monotonic() + WITHIN_S
        while not lag_of(cli).startswith("the state is 0 records"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(ending)
        told = process.stdout.read()
        assert process.wait(timeout=WITHIN_S) == 0
    assert told == f"{LINES} records folded since the beginning of this command\n"
