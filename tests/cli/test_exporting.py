"""Events to a file: all of them, in log order, verified, and a ledger again when they are imported."""

import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.cli.lines import choice_line
from tests.cli.running import EXAMPLES, Cli


def damage(
    home: Path, offset: int, value: bytes, table: str = "individuals", key: bytes | None = None
) -> None:
    """Put other bytes in the place of a record, behind the ledger's back; another key, too, if given."""
    connection = apsw.Connection(str(home / "log.db"))
    connection.execute(f"UPDATE {table} SET value = ? WHERE offset = ?", (value, offset))
    if key is not None:
        connection.execute(f"UPDATE {table} SET key = ? WHERE offset = ?", (key, offset))
    connection.close()


def test_an_export_is_a_ledger_again(example: Cli) -> None:
    """What is exported, imported elsewhere, has the same digest and exports the same lines."""
    lines = example.does("export").out
    other = Cli(example.home.with_name("other")).with_tenant("telemate")
    other.does("import", "-", stdin=lines.encode())
    assert other.does("digest").out == example.does("digest").out
    assert other.exported() == example.exported()
    questions = str(EXAMPLES / "questions.ndjson")
    assert other.does("check", "--questions", questions).out == (EXAMPLES / "answers.ndjson").read_text()


def test_an_export_begins_with_the_ledgers_beginning(cli: Cli) -> None:
    """The export of a new ledger is its beginning alone."""
    (line,) = cli.does("export").lines
    assert (line["type"], line["tenant"]) == ("LedgerBegun", "ledger")


def test_slices_are_merged_by_when_they_were_recorded(cli: Cli) -> None:
    """Policies and individuals stand in the order of `recorded_at`, policies first where it is the same."""
    policies = (EXAMPLES / "telemate" / "policies.ndjson").read_bytes()
    same = json.loads(policies.splitlines()[3])["recorded_at"]
    cli.does("import", "-", stdin=choice_line(1, occurred_at=same, recorded_at=same))
    cli.does("import", "-", stdin=policies)
    exported = cli.exported()
    assert [line["recorded_at"] for line in exported] == sorted(line["recorded_at"] for line in exported)
    assert [line["type"] for line in exported[3:5]] == ["PolicyAmended", "ChoiceMade"]


def test_within_a_slice_the_logs_order_stands(cli: Cli) -> None:
    """A record that is older than the one before it in its slice stays where the log has it."""
    late, early = "2026-05-05T00:00:00Z", "2026-05-04T00:00:00Z"
    lines = [choice_line(1, recorded_at=late), choice_line(2, recorded_at=early)]
    cli.does("import", "-", stdin=b"\n".join(lines))
    assert [line["individual"] for line in cli.exported()] == ["person-1", "person-2"]


def test_a_file_appears_whole(example: Cli, tmp_path: Path) -> None:
    """With `--output` the file holds what standard output would, and nothing else is left beside it."""
    folder = tmp_path / "out"
    folder.mkdir()
    example.does("export", "--output", str(folder / "all.ndjson"))
    assert [path.name for path in folder.iterdir()] == ["all.ndjson"]
    assert (folder / "all.ndjson").read_text(encoding="utf-8") == example.does("export").out


def test_a_file_that_cannot_be_written_is_told(example: Cli, tmp_path: Path) -> None:
    """A folder that is not there is a wrong command line."""
    done = example("export", "--output", str(tmp_path / "nowhere" / "all.ndjson"))
    assert done.code == 2
    assert "cannot be written" in done.err


@pytest.mark.parametrize("value", [b"", b"\xc3\x01", b"nonsense"])
def test_an_unreadable_record_is_told_and_the_rest_exported(value: bytes, cli: Cli) -> None:
    """A record that cannot be read is told with its place and a reason; the others are exported."""
    cli.does("import", "-", stdin=b"\n".join(choice_line(number) for number in range(3)))
    damage(cli.home, 1, value)
    done = cli("export")
    assert done.code == 6
    assert done.err.startswith("individuals/0/1: cannot be read (")
    assert [line.get("individual") for line in done.lines] == ["person-0", "person-2", None] or [
        line.get("individual") for line in done.lines if line["type"] == "ChoiceMade"
    ] == ["person-0", "person-2"]


@pytest.mark.parametrize("key", [b"main/person-2", b"other/person-1", b""])
def test_a_record_that_stands_under_another_key_is_not_exported(key: bytes, cli: Cli) -> None:
    """What this ledger does not fold, because nobody can tell whom it is about, no other ledger is given as
    good.
    """
    good = [choice_line(number) for number in range(3)]
    cli.does("import", "-", stdin=b"\n".join(good))
    connection = apsw.Connection(str(cli.home / "log.db"))
    value: Any = connection.execute("SELECT value FROM individuals WHERE offset = 1").get
    connection.close()
    damage(cli.home, 1, value, key=key)
    done = cli("export")
    assert (done.code, "individuals/0/1: cannot be read (key_mismatch)" in done.err) == (6, True)
    exported = [line["individual"] for line in done.lines if line["type"] == "ChoiceMade"]
    assert exported == ["person-0", "person-2"]


def test_an_unreadable_record_denies_until_it_is_settled(cli: Cli) -> None:
    """Whom an unreadable record concerns is denied, the others are answered; a resolution is on record."""
    cli.does("import", "-", stdin=b"\n".join(choice_line(number) for number in range(3)))
    damage(cli.home, 1, b"nonsense")
    asked = ("check", "--json", "website.email")
    one, two = (cli.does(asked[0], f"person-{n}", asked[2], asked[1]).json["reason"] for n in (1, 2))
    assert (one, two) == ("quarantined", "purpose_not_declared")
    (entry,) = cli.does("quarantine", "list", "--json").json
    assert (entry["place"], entry["scope"], entry["subject"]) == (
        "individuals/0/1",
        "individual",
        "main/person-1",
    )
    assert "individuals/0/1" in cli.does("quarantine", "list").out
    done = cli("doctor")
    assert done.code == 6
    assert "1 records cannot be read" in done.out
    cli.does("quarantine", "resolve", entry["place"], "--how", "read from the backup, and imported again")
    assert cli.does("quarantine", "list", "--json").json == []
    assert cli.does("check", "person-1", "website.email", "--json").json["reason"] == "purpose_not_declared"
    lines = cli("export").lines
    (resolved,) = [line for line in lines if line["type"] == "QuarantineResolved"]
    (generation,) = [line["generation"] for line in lines if line["type"] == "LedgerBegun"]
    assert (resolved["individual"], resolved["position"]) == ("person-1", f"{generation}/individuals/0/1")


def test_a_resolution_settles_nothing_in_another_ledger(cli: Cli, tmp_path: Path) -> None:
    """A resolution that was imported from another ledger leaves a bad record at the same place denying."""
    cli.does("import", "-", stdin=b"\n".join(choice_line(number) for number in range(3)))
    damage(cli.home, 1, b"nonsense")
    cli.does("quarantine", "resolve", "individuals/0/1", "--how", "read from the backup")
    other = Cli(tmp_path / "other", cli.environment)
    other.does("import", "-", stdin=cli("export").out.encode())
    damage(other.home, 1, b"nonsense")
    (other.home / "state.db").unlink()
    (entry,) = other.does("quarantine", "list", "--json").json
    assert entry["place"] == "individuals/0/1"


WIDER: dict[str, tuple[str, int, bytes | None, str, str]] = {
    "a tenant": ("policies", 1, None, "tenant", "main"),
    "a partition": ("individuals", 1, b"\xff", "partition", "individuals/0"),
    "the ledger": ("policies", 1, b"\xff", "ledger", ""),
}


@pytest.mark.parametrize("what", WIDER)
def test_what_denies_more_than_one_is_settled_by_the_operator(what: str, cli: Cli) -> None:
    """A record that denies a tenant, a partition or everybody does so until its operator settles it."""
    table, offset, key, scope, subject = WIDER[what]
    cli.does("framework", "set", "shield", "--in-force")
    cli.does("import", "-", stdin=b"\n".join(choice_line(n, recorded_at=None) for n in range(2)))
    damage(cli.home, offset, b"nonsense", table, key)
    (cli.home / "state.db").unlink()
    asked = ("check", "person-0", "website.email", "--json")
    assert cli.does(*asked).json["reason"] == "quarantined"
    (entry,) = cli.does("quarantine", "list", "--json").json
    assert (entry["scope"], entry["subject"]) == (scope, subject)
    cli.does("quarantine", "resolve", entry["place"], "--how", "read from the backup")
    assert cli.does("quarantine", "list", "--json").json == []
    assert cli.does(*asked).json["reason"] == "purpose_not_declared"
