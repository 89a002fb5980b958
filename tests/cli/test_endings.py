"""How commands end that are cut off: interrupted, killed, or with nobody reading."""

import os
import pty
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from choice_ledger.cli.root import COMMANDS, LazyGroup, failure_of, load, root
from choice_ledger.exits import ExitCode
from tests.cli.lines import choice_lines
from tests.cli.running import Cli, command_line, process_environment

SECRET = "hunter2"


def test_an_interrupt_is_clean(cli: Cli) -> None:
    """Ctrl-C ends with 130 and one line, without a traceback; what was recorded stays."""
    with subprocess.Popen(
        command_line("import", "-"),
        env=process_environment(cli.home),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(choice_lines(10))
        process.stdin.flush()
        while not (cli.home / "log.db").exists():
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        process.stdin.close()
        told = process.stderr.read().decode()
        assert process.wait(timeout=30) == ExitCode.INTERRUPTED
    assert told == "interrupted; what was acknowledged is recorded\n"
    cli.does("import", "-", stdin=choice_lines(10))
    assert len(cli.exported()) == 10


@pytest.mark.parametrize("arguments", [("export",), ("check", "--questions", "-")])
def test_a_reader_that_goes_away_is_no_fault(arguments: tuple[str, ...], cli: Cli) -> None:
    """Where nobody reads the output any more, the command ends quietly."""
    cli.does("import", "-", stdin=b"".join(choice_lines(3_000).splitlines(keepends=True)))
    questions = b'{"individual": "person-1", "purpose": "website.email"}\n' * 5_000
    with subprocess.Popen(
        command_line(*arguments),
        env=process_environment(cli.home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        feeder = threading.Thread(target=feed, args=(process.stdin, questions))
        feeder.start()
        told = process.stderr.read()
        feeder.join()
        assert process.wait(timeout=30) == ExitCode.PIPE_CLOSED
    assert told == b""


def feed(stdin: object, content: bytes) -> None:
    """Write to a process that may be gone."""
    try:
        stdin.write(content)  # type: ignore[attr-defined]  # Popen's stream, given as it is.
        stdin.close()  # type: ignore[attr-defined]  # As above.
    except BrokenPipeError:
        return


@pytest.mark.parametrize("killed_after_s", [0.3, 0.45, 0.6, 0.8])
def test_a_killed_command_leaves_a_ledger_to_go_on_with(killed_after_s: float, cli: Cli) -> None:
    """Killed at any time, a recording command has recorded its event or not, and the next command works."""
    with subprocess.Popen(
        command_line("choice", "record", "ana", "--opt-out", "website"),
        env=process_environment(cli.home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        time.sleep(killed_after_s)
        process.kill()
    before = len(cli.exported())
    assert before in (0, 1)
    cli.does("choice", "record", "ana", "--opt-out", "website")
    assert len(cli.exported()) == before + 1
    assert cli.does("digest").out == cli.does("rebuild", "--digest-only").out


def test_commands_at_once_record_each_their_own(cli: Cli) -> None:
    """Several processes that record on one ledger at once all succeed, and the state holds every event."""
    cli.does("digest")
    processes = [
        subprocess.Popen(
            command_line("choice", "record", f"person-{number}", "--opt-out", "website"),
            env=process_environment(cli.home),
            stdout=subprocess.DEVNULL,
        )
        for number in range(6)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0] * 6
    assert len(cli.exported()) == 6
    assert cli.does("digest").out == cli.does("rebuild", "--digest-only").out


def test_progress_is_shown_on_a_terminal_alone(cli: Cli, tmp_path: Path) -> None:
    """A bar on standard error says how far an import is where that is a terminal, and nowhere else."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(choice_lines(3_000))
    master, slave = pty.openpty()
    try:
        subprocess.run(
            command_line("import", str(file)),
            env=process_environment(cli.home, {"TERM": "xterm", "COLUMNS": "100"}),
            stdout=subprocess.DEVNULL,
            stderr=slave,
            check=True,
            timeout=60,
        )
        shown = os.read(master, 100_000)
    finally:
        os.close(master)
        os.close(slave)
    assert b"importing events.ndjson" in shown
    assert cli.does("import", str(file)).err == ""


def test_a_defect_is_told_without_what_it_held() -> None:
    """A fault that nobody foresaw ends as a defect; its message, which may hold anything, is left out."""
    failure = failure_of(KeyError(SECRET))
    assert failure.code == ExitCode.DEFECT
    assert "KeyError" in failure.message
    assert SECRET not in failure.message


def test_a_machine_that_refuses_is_told() -> None:
    """A full disk ends as unavailable, with what to do."""
    failure = failure_of(OSError(28, "No space left on device"))
    assert failure.code == ExitCode.UNAVAILABLE
    assert failure.message == "the machine refuses: No space left on device; make room and try again"
    assert "out of memory" in failure_of(MemoryError()).message


def test_the_table_says_of_each_command_what_it_says_itself() -> None:
    """`--help` shows a line for each command without importing it; each also has help of its own."""
    group = LazyGroup(name="choice-ledger")
    assert list(COMMANDS) == root.list_commands(None)  # type: ignore[arg-type]  # It reads no context.
    for name, (_, line) in COMMANDS.items():
        stub = group.get_command(None, name)  # type: ignore[arg-type]  # It reads no context.
        assert stub is not None
        assert (stub.help, bool(load(name).help)) == (line, True)


def test_help_of_every_command(tmp_path: Path) -> None:
    """Every command prints its help, and opens no ledger for it."""
    cli = Cli(tmp_path / "home")
    for name in COMMANDS:
        assert "Usage: choice-ledger" in cli.does(name, "--help").out
    assert not cli.home.exists()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_the_caller_closed_is_no_defect(closed: str, cli: Cli) -> None:
    """With a standard stream closed the command does its work, and no file of the ledger takes its number."""
    done = in_shell(cli, f'"$@" {closed}', "choice", "record", "ana", "--opt-out", "website")
    assert (done.returncode, b"error" in done.stderr) == (0, False)
    assert len(cli.exported()) == 1


@pytest.mark.parametrize("arguments", [("--help",), ("check", "--help"), ("export",), ("config", "show")])
def test_output_that_finds_no_room_is_told_once(arguments: tuple[str, ...], cli: Cli) -> None:
    """Where the output cannot be written, help included, one line says so, without a traceback."""
    cli.does("digest")
    done = in_shell(cli, '"$@" >/dev/full', *arguments)
    assert done.returncode == ExitCode.UNAVAILABLE
    assert done.stderr == b"error: the machine refuses: No space left on device; make room and try again\n"


def in_shell(cli: Cli, script: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    """A command in a process of its own, whose streams a shell has redirected."""
    return subprocess.run(
        ["bash", "-c", script, "-", *command_line(*arguments)],
        env=process_environment(cli.home),
        capture_output=True,
        timeout=60,
        check=False,
    )
