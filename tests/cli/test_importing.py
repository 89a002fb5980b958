"""Events from files: every good line recorded once, every bad one told, whatever happens in between."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from choice_ledger.exits import ExitCode
from events.lines import LINE_BYTES_MAX
from ledger.log import BATCH_EVENTS_MAX
from tests.cli.lines import RECORDED, choice_line, choice_lines
from tests.cli.running import EXAMPLES, RUN_MAIN, Cli, command_line, process_environment

WAIVED = "recorded_at of imported events kept beside events that this ledger recorded itself"
KILLED_EVENTS = 6_000
# Small batches, so that a few thousand lines are many of them.
SMALL_BATCHES = "import choice_ledger.importing; choice_ledger.importing.BATCH_EVENTS_MAX = 500; "
# The log's page cache may fill; 22,000 events held at once would take three times as much.
MEMORY_GROWTH_MIB = 20


def counts(cli: Cli, *arguments: str, stdin: bytes = b"", code: int = 0) -> dict[str, int]:
    """How the lines of an import ended."""
    done = cli("import", "--json", *arguments, stdin=stdin)
    assert done.code == code, done.err
    told: dict[str, int] = done.json
    return {ending: count for ending, count in told.items() if count}


def test_an_import_keeps_ids_and_times(cli: Cli) -> None:
    """What is imported has the event id and the `recorded_at` of its line."""
    assert counts(cli, "-", stdin=choice_line(1)) == {"recorded": 1}
    (event,) = cli.exported()
    line = json.loads(choice_line(1))
    assert {name: event[name] for name in line} == line


def test_an_import_dates_what_has_no_record_time(cli: Cli) -> None:
    """A line without `recorded_at` is recorded now, and keeps its `occurred_at`."""
    counts(cli, "-", stdin=choice_line(1, recorded_at=None))
    (event,) = cli.exported()
    assert event["occurred_at"] == RECORDED
    assert event["recorded_at"] > RECORDED


def test_what_is_held_already_is_done(cli: Cli) -> None:
    """The same lines again add nothing, and are no fault."""
    assert counts(cli, "-", stdin=choice_lines(5)) == {"recorded": 5}
    assert counts(cli, "-", stdin=choice_lines(7)) == {"recorded": 2, "already_held": 5}
    assert len(cli.exported()) == 7


def test_other_content_under_a_held_id_is_refused(cli: Cli) -> None:
    """A line whose id names another event already is told, and the first stands."""
    counts(cli, "-", stdin=choice_line(1))
    done = cli("import", "-", stdin=choice_line(1, decision="opt_in"))
    assert (done.code, len(cli.exported())) == (1, 1)
    assert "standard input:1: `event_id` names another event already" in done.err


BAD_LINES: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "the line is not one JSON object"),
    "no object": (b"[]", "the line is not one JSON object"),
    "not UTF-8": (b'{"type": "\xff"}', "not"),
    "a name twice": (b'{"type": "ChoiceMade", "type": "ChoiceMade"}', "a name twice"),
    "an unknown type": (choice_line(9, type="ChoiceMad"), "`type` must be the name of an event type"),
    "an unknown field": (choice_line(9, colour="red"), "`colour`"),
    "a missing field": (choice_line(9, decision=None), "`decision`"),
    "a wrong value": (choice_line(9, decision="perhaps"), "`decision`"),
    "a wrong id": (choice_line(9, event_id="9"), "`event_id` must be a UUID"),
    "a wrong instant": (choice_line(9, occurred_at="yesterday"), "`occurred_at` must be an RFC 3339"),
    "an instant in another zone": (
        choice_line(9, occurred_at="2026-05-03T09:00:00+02:00"),
        "`occurred_at` must be an RFC 3339 instant in UTC",
    ),
    "an event after its record": (
        choice_line(9, occurred_at="2026-05-04T00:00:00Z"),
        "`occurred_at` must not be after recorded_at",
    ),
    "an individual with an address": (choice_line(9, individual="a@b.example"), "`individual` must be"),
    "an opt-in to everything": (choice_line(9, decision="opt_in", purposes=["*"]), "`purposes`"),
    "a record that is too large": (
        choice_line(9, purposes=[f"website.{number:0100d}" for number in range(900)]),
        "bytes",
    ),
    "a line that is too long": (b'{"type": "' + b"x" * LINE_BYTES_MAX + b'"}', "the line is longer than"),
}


@pytest.mark.parametrize("what", BAD_LINES)
def test_a_bad_line_is_told_and_the_rest_recorded(what: str, cli: Cli, tmp_path: Path) -> None:
    """A bad line is told with file, number and field, not its values; those around it are recorded."""
    bad, message = BAD_LINES[what]
    file = tmp_path / "events.ndjson"
    file.write_bytes(choice_line(1) + b"\n\n" + bad + b"\r\n" + choice_line(2))
    done = cli("import", str(file))
    assert done.code == 1
    told, summary = done.err.splitlines()
    assert told.startswith(f"{file}:3: ")
    assert message in told
    assert not {"perhaps", "red", "yesterday", "a@b.example"} & set(told.split())
    assert summary == "error: 1 lines were refused; mend them and import again"
    assert [event["individual"] for event in cli.exported()] == ["person-1", "person-2"]


def test_the_longest_line_is_read(cli: Cli) -> None:
    """A line of exactly the greatest length is read; what is too large in it is the record, not the line."""
    line = choice_line(1)
    padded = line + b" " * (LINE_BYTES_MAX - len(line))
    assert counts(cli, "-", stdin=padded) == {"recorded": 1}
    assert counts(cli, "-", stdin=padded + b" ", code=1) == {"refused": 1}


def test_what_the_semantics_judge_is_kept(cli: Cli) -> None:
    """A void amendment and a notice of a version that does not stand are recorded: they are well-formed."""
    amendment = {
        "type": "PolicyAmended",
        "event_id": "00000000-0000-0000-0000-0000000000aa",
        "tenant": "main",
        "occurred_at": RECORDED,
        "policy_id": "website",
        "version": 7,
        "effective_at": RECORDED,
    }
    notice = {"notice_id": "n", "policy_id": "nowhere", "version": 3, "decision": None, "purposes": None}
    lines = json.dumps(amendment).encode() + b"\n" + choice_line(1, type="NoticeGiven", **notice)
    assert counts(cli, "-", stdin=lines) == {"recorded": 2}
    assert cli.does("policy", "list", "--json").json[0]["state"] == "void: version_not_next"


def test_the_beginning_of_another_ledger_is_noted(cli: Cli) -> None:
    """An export begins with its ledger's beginning, which has no place in another one."""
    cli.does("import", str(EXAMPLES / "telemate" / "policies.ndjson"))
    exported = cli.does("export").out.encode()
    other = Cli(cli.home.with_name("other"))
    assert counts(other, "-", stdin=exported) == {"recorded": 6, "noted": 1}
    beginnings = [line for line in other.does("export").lines if line["type"] == "LedgerBegun"]
    assert len(beginnings) == 1
    assert beginnings != [json.loads(exported.splitlines()[0])]


def test_several_files_are_read_in_their_order(cli: Cli, tmp_path: Path) -> None:
    """Each file's faults bear its own name and numbers."""
    files = []
    for name, content in (("a", choice_line(1)), ("b", b"{"), ("c", choice_line(2))):
        files.append(tmp_path / name)
        files[-1].write_bytes(content)
    done = cli("import", *map(str, files))
    assert done.code == 1
    assert f"{files[1]}:1: " in done.err
    assert [event["individual"] for event in cli.exported()] == ["person-1", "person-2"]


def test_a_file_that_is_not_there_is_told(cli: Cli, tmp_path: Path) -> None:
    """A file that cannot be read is a wrong command line."""
    done = cli("import", str(tmp_path / "nowhere"))
    assert done.code == 2
    assert "cannot be read" in done.err


def test_nothing_is_imported_where_one_of_the_files_is_not_there(cli: Cli, tmp_path: Path) -> None:
    """A wrong command line does nothing: the files that can be read are not imported either."""
    good = tmp_path / "good.ndjson"
    good.write_bytes(choice_line(1))
    for wrong in (tmp_path / "nowhere", tmp_path):
        done = cli("import", str(good), str(wrong))
        assert (done.code, f"{wrong} cannot be read" in done.err) == (2, True)
        assert cli.exported() == []


def test_what_a_ledger_knew_is_not_rewritten(published: Cli) -> None:
    """Into a ledger with events of its own a line with `recorded_at` is refused; one without is taken."""
    before = published.exported()
    lines = choice_line(1) + b"\n" + choice_line(2, recorded_at=None)
    done = published("import", "-", stdin=lines)
    assert done.code == 1
    assert "standard input:1: `recorded_at` must be left out" in done.err
    assert "--rewrite-knowledge" in done.err
    assert [event["individual"] for event in published.exported()[len(before) :]] == ["person-2"]


def test_knowledge_is_rewritten_on_record(published: Cli) -> None:
    """With `--rewrite-knowledge` such a line is taken, after a waiver that says why is on record."""
    arguments = ("--rewrite-knowledge", "--why", "two ledgers become one", "-")
    assert counts(published, *arguments, stdin=choice_line(1)) == {"recorded": 1}
    waiver = next(event for event in published.exported() if event["type"] == "SafeguardWaived")
    assert (waiver["tenant"], waiver["what"]) == ("ledger", WAIVED)
    assert waiver["why"] == "two ledgers become one"
    assert any(event["recorded_at"] == RECORDED for event in published.exported())


def test_nothing_is_waived_where_nothing_is_rewritten(cli: Cli) -> None:
    """A ledger without events of its own needs no waiver, and records none."""
    counts(cli, "--rewrite-knowledge", "-", stdin=choice_line(1))
    counts(cli, "--rewrite-knowledge", "-", stdin=choice_line(2))
    assert {event["type"] for event in cli.exported()} == {"ChoiceMade"}


def test_what_was_imported_is_done_though_events_of_its_own_followed(cli: Cli) -> None:
    """An import is run again without a fault, and without a waiver, after the ledger recorded something."""
    counts(cli, "-", stdin=choice_lines(3))
    cli.does("choice", "record", "ana", "--opt-out", "website")
    assert counts(cli, "-", stdin=choice_lines(3)) == {"already_held": 3}
    assert counts(cli, "-", stdin=choice_lines(4), code=1) == {"already_held": 3, "refused": 1}


def test_an_import_for_people_is_summed_up(cli: Cli) -> None:
    """Without `--json` the counts are told in words."""
    assert cli.does("import", "-", stdin=choice_lines(2)).out.split() == ["2", "recorded"]


@pytest.mark.parametrize("written_bytes", [1, 300_000, 900_000])
def test_a_killed_import_is_run_again(written_bytes: int, cli: Cli, tmp_path: Path) -> None:
    """Killed while it writes, an import leaves a ledger that the next one completes: every event once."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(choice_lines(KILLED_EVENTS))
    kill_import_of(cli, file, written_bytes)
    done = counts(cli, str(file))
    assert sum(done.values()) == KILLED_EVENTS
    assert len(cli.exported()) == KILLED_EVENTS
    assert cli.does("digest").out == cli.does("rebuild", "--digest-only").out


def test_a_killed_import_that_dated_lines_itself_is_run_again(cli: Cli, tmp_path: Path) -> None:
    """Lines without a record time make events of the ledger's own; the rest is taken all the same."""
    file = tmp_path / "events.ndjson"
    dated = [choice_line(number, recorded_at=None) for number in range(KILLED_EVENTS // 2)]
    kept = [choice_line(number) for number in range(KILLED_EVENTS // 2, KILLED_EVENTS)]
    file.write_bytes(b"\n".join(dated + kept))
    kill_import_of(cli, file, 300_000)
    assert sum(counts(cli, str(file)).values()) == KILLED_EVENTS
    assert len(cli.exported()) == KILLED_EVENTS
    assert not (cli.home / "import-under-way").exists()


def test_a_killed_import_is_over_once_the_ledger_records_something(cli: Cli, tmp_path: Path) -> None:
    """After an event of its own, the ledger's knowledge is not rewritten, though an import was cut off."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(choice_lines(KILLED_EVENTS))
    kill_import_of(cli, file, 1)
    cli.does("choice", "record", "ana", "--opt-out", "website")
    again = counts(cli, str(file), code=1)
    assert again["refused"] == KILLED_EVENTS - again.get("already_held", 0)


def kill_import_of(cli: Cli, file: Path, written_bytes: int) -> None:
    """Begin to import a file, and kill the process once it has written so many bytes."""
    with subprocess.Popen(
        [sys.executable, "-c", SMALL_BATCHES + RUN_MAIN, "import", str(file)],
        env=process_environment(cli.home),
        stdout=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and size_of(cli.home / "log.db-wal") < written_bytes:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        killed = process.wait()
    assert killed == -signal.SIGKILL


def size_of(file: Path) -> int:
    """Bytes of a file, 0 where there is none yet."""
    return file.stat().st_size if file.exists() else 0


def test_an_import_takes_flat_memory(cli: Cli, tmp_path: Path) -> None:
    """The greatest memory of an import does not grow with the file, past the lines of one batch."""
    peaks = []
    for number, count in enumerate((2_000, 24_000)):
        file = tmp_path / f"{number}.ndjson"
        file.write_bytes(choice_lines(count))
        peaks.append(peak_mib(cli.home.with_name(f"home-{number}"), "import", str(file)))
    assert peaks[1] - peaks[0] < MEMORY_GROWTH_MIB


def peak_mib(home: Path, *arguments: str) -> float:
    """The greatest resident memory of a command in a process of its own, from its program's start on."""
    program = (
        f"{SMALL_BATCHES}\nimport sys\n"
        "from choice_ledger.cli.root import root\n"
        "try:\n    root(prog_name='choice-ledger')\nexcept SystemExit as end:\n    assert not end.code\n"
        "status = open('/proc/self/status').read()\n"
        "print(status.partition('VmHWM:')[2].split()[0], file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=process_environment(home), capture_output=True, check=True)
    return int(done.stderr.split()[-1]) / 1024


def test_an_import_into_a_full_disk_stops(cli: Cli, tmp_path: Path) -> None:
    """Where the log can grow no more the import ends after one batch, says where, and is run again later."""
    file, unread = tmp_path / "events.ndjson", tmp_path / "more.ndjson"
    file.write_bytes(choice_lines(BATCH_EVENTS_MAX + 1))
    unread.write_bytes(choice_line(BATCH_EVENTS_MAX + 1))
    cli.does("digest")
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 400 && exec "$@"', "-", *command_line("import", str(file), str(unread))],
        env=process_environment(cli.home),
        capture_output=True,
        timeout=60,
        check=False,
    )
    told = done.stderr.decode()
    assert done.returncode == ExitCode.UNKNOWN, told[-200:]
    assert f"what follows line {BATCH_EVENTS_MAX} of {file} was not tried, nor the files after it" in told
    assert len(told.splitlines()) == BATCH_EVENTS_MAX + 1
    assert cli.does("import", str(file), str(unread), "--json").json["recorded"] == BATCH_EVENTS_MAX + 2


def test_lines_from_the_future_are_warned_of(cli: Cli) -> None:
    """A `recorded_at` that no clock has reached is kept, and whoever imports it is told what that means."""
    future = "2999-01-01T00:00:00.000000Z"
    lines = choice_lines(2) + choice_line(7, recorded_at=future, occurred_at=future) + b"\n"
    done = cli.does("import", "-", stdin=lines)
    assert "1 lines of - bear a recorded_at later than this machine's clock" in done.err
    assert len(cli.exported()) == 3
    assert "later than" not in cli.does("import", "-", stdin=choice_lines(2)).err
