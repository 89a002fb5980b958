"""What must not be recorded: the exit code, the field, the remedy, and that nothing is recorded."""

import json
import shlex
from pathlib import Path

import pytest

from choice_ledger.cli.root import WORD_HIDDEN_MIN, WORD_SHOWN_MAX, without_values
from tests.cli.running import EXAMPLES, Cli

EVENT_ID = "0197f3a0-0000-7000-8000-000000000001"
FUTURE = "2999-01-01T00:00:00Z"
PAST = "2020-01-01T00:00:00Z"
NOTICE = "notice record ana --policy privacy --version 1"

REFUSED: dict[str, tuple[str, str]] = {
    "an individual that could be an address": (
        "choice record ana@example.org --opt-out website",
        "`individual` must be a pseudonymous id",
    ),
    "an empty individual": ("choice record '' --opt-out website", "`individual` must be 1 to 128 bytes"),
    "an opt-in to everything": ("choice record ana --opt-in '*'", "`purposes` must be a purpose key"),
    "a selector that is none": ("choice record ana --opt-out 'web site'", "`purposes` must be a purpose key"),
    "a version that is no number": (
        "choice record ana --opt-out website --version privacy=two",
        "`versions` must be a policy and a number",
    ),
    "a digest that is none": (
        "choice record ana --opt-out website --evidence abc:scan",
        "`evidence.sha256` must be a SHA-256 digest",
    ),
    "an id that is none": (
        "choice record ana --opt-out website --event-id 7",
        "`event_id` must be a UUID",
    ),
    "a cause that is none": (
        "choice record ana --opt-out website --caused-by 7",
        "`caused_by` must be a UUID",
    ),
    "an unknown kind of actor": (
        "choice record ana --opt-out website --actor robot",
        "`actor` must be one of individual, agent",
    ),
    "an actor with an address": (
        "choice record ana --opt-out website --actor officer:a@b",
        "`actor.id` must be a pseudonymous id",
    ),
    "a date in the future": (
        f"choice record ana --opt-out website --actor officer --occurred-at {FUTURE}",
        "`occurred_at` must not be in the future",
    ),
    "an earlier date where the individual is heard": (
        f"choice record ana --opt-out website --medium web --occurred-at {PAST}",
        "`occurred_at` must be left out",
    ),
    "the ledger's own tenant": (
        "choice record ana --opt-out website --tenant ledger",
        "tenant: must not be `ledger`",
    ),
    "an unknown policy": (
        "notice record ana --policy website --version 1",
        "`policy_id` must name a policy that is published; mend it, or publish that first",
    ),
    "an unknown version": (
        "notice record ana --policy privacy --version 2",
        "`version` must be a published version of that policy, 1 to 1",
    ),
    "a version that is none": (
        "notice record ana --policy privacy --version 0",
        "`version` must be a published version of that policy, 1 to 1",
    ),
    "a text that is no wording of that version": (
        f"{NOTICE} --wording-sha256 {'ab' * 32}",
        "`wording_sha256` must be the digest of one of the wordings that this version names",
    ),
    "a status code with an address in it": (
        "notice outcome ana n1 failed --detail a@b",
        "`detail` must be a status code",
    ),
    "a link to oneself": ("individual link ana ana", "`other` must be another individual"),
    "a link to what is no individual": (
        "individual link ana 'a b'",
        "`other` must be a pseudonymous id",
    ),
    "a disclosure that ends before it begins": (
        f"disclosure compel ana office --legal-reference x --from {FUTURE} --to {PAST}",
        "`to` must be after `from`",
    ),
    "a disclosure for a purpose that is none": (
        "disclosure record ana adco 'web site'",
        "`purpose` must be a purpose key",
    ),
    "a withdrawal of an unknown policy": (
        "policy withdraw website",
        "`policy_id` must name a policy that is published",
    ),
    "a withdrawal in the past": (
        f"policy withdraw privacy --effective-at {PAST}",
        "`effective_at` must not be in the past",
    ),
    "a version that is there already": (
        f"policy publish {EXAMPLES}/telemate/website-and-services.v1.yaml --now",
        "`version` must be one more than the policy's highest standing version; the next is 2",
    ),
    "a policy in force in the past": (
        f"policy publish {EXAMPLES}/telemate/website-and-services.v2.yaml",
        "`effective_at` must not be in the past",
    ),
    "a place that is not in quarantine": (
        "quarantine resolve individuals/0/7 --how x",
        "`place` must be one that `quarantine list` shows",
    ),
}

MISUSED: dict[str, str] = {
    "neither an opt-out nor an opt-in": "choice record ana",
    "an opt-out and an opt-in": "choice record ana --opt-out a --opt-in b",
    "a description of nothing": "individual describe ana",
    "populations and none": "individual describe ana --population a --no-populations",
    "two dates of effect": f"policy publish {EXAMPLES}/README.md --now --effective-at {FUTURE}",
    "an instant that is none": "choice record ana --opt-out website --occurred-at yesterday",
    "a medium that is none": "choice record ana --opt-out website --medium smoke",
    "an outcome that is none": "notice outcome ana n1 lost",
    "no status": "framework set shield",
    "a command that is none": "chekc ana website",
    "an option that is none": "check ana website --recipent adco",
    "a question and a file of them": "check ana website --questions -",
    "a question without a purpose": "check ana",
    "a file that is not there": "policy publish nowhere.yaml",
    "a setting that cannot be": "config show --log-level loud",
    "topics without brokers": "topics verify",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_must_not_be_recorded_is_refused(what: str, published: Cli) -> None:
    """A refusal names the field and what it must be, does not repeat the value, and nothing is recorded."""
    arguments, message = REFUSED[what]
    before = published.exported()
    done = published(*shlex.split(arguments))
    assert done.code == (2 if what == "the ledger's own tenant" else 1)
    assert message in done.err
    assert done.out == ""
    assert published.exported() == before


@pytest.mark.parametrize("what", MISUSED)
def test_a_wrong_command_line_does_nothing(what: str, published: Cli) -> None:
    """A command line that cannot be meant ends with the code of a misuse, and nothing is recorded."""
    before = published.exported()
    done = published(*shlex.split(MISUSED[what]))
    if what == "two dates of effect":
        assert done.code in (1, 2)
    else:
        assert done.code == 2
    assert done.err
    assert published.exported() == before


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("check", "ana", "website", "--at", "yesterday", "--json"), "at"),
        (("check", "--json", "--at", "yesterday", "ana", "website"), "at"),
        (("policy", "publish", "nowhere.yaml", "--json"), "file"),
        (("notice", "record", "--json"), "individual"),
        (("check", "ana", "website", "more", "--json"), None),
        (("check", "--nope", "--json"), None),
    ],
)
def test_a_wrong_command_line_for_programs_is_json(
    arguments: tuple[str, ...], field: str | None, cli: Cli
) -> None:
    """With `--json` a command line that cannot be understood is told as every refusal is, with code 2."""
    done = cli(*arguments)
    error = json.loads(done.err)["error"]
    assert (done.code, error["code"], error["field"]) == (2, 2, field)
    assert error["message"]
    assert done.out == ""


def test_a_refusal_for_programs_is_json(published: Cli) -> None:
    """With `--json` a refusal is one JSON object on standard error, with code, field and message."""
    done = published(*NOTICE.split()[:-1], "9", "--json")
    error = json.loads(done.err)["error"]
    assert (done.code, error["code"], error["field"]) == (1, 1, "version")
    assert "published version" in error["message"]


def test_another_event_of_the_same_id_is_refused(published: Cli) -> None:
    """An event id that names another event is refused, and the first stands."""
    published.does("choice", "record", "ana", "--opt-out", "website", "--event-id", EVENT_ID)
    before = published.exported()
    done = published("choice", "record", "ana", "--opt-in", "website.surveys", "--event-id", EVENT_ID)
    assert (done.code, published.exported()) == (1, before)
    assert "`event_id` names another event already" in done.err


def test_one_id_may_name_events_of_two_individuals(published: Cli) -> None:
    """An event id is unique within an individual, so another individual's event may have it too."""
    for individual in ("ana", "ben"):
        published.does("choice", "record", individual, "--opt-out", "website", "--event-id", EVENT_ID)
    assert [event["individual"] for event in published.exported()[-2:]] == ["ana", "ben"]


def test_a_policy_file_with_faults_is_refused_with_all_of_them(cli: Cli, tmp_path: Path) -> None:
    """Every fault of a policy file is told with file, line and field; no event and no text is stored."""
    file = tmp_path / "faulty.yaml"
    file.write_text(
        "policy_id: website\nversion: one\neffective_at: 2999-01-01T00:00:00Z\ntitle: T\n"
        "purposes:\n  - key: website.email\n    mode: perhaps\n",
        encoding="utf-8",
    )
    done = cli("policy", "publish", str(file))
    assert done.code == 1
    assert f"{file}:2: `version`" in done.err
    assert f"{file}:7: `purposes[0].mode`" in done.err
    assert "2 faults" in done.err
    assert cli.exported() == []
    assert not (cli.home / "content").exists()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A home that is no directory is a wrong setting, told as one."""
    home = tmp_path / "file"
    home.touch()
    done = Cli(home)("check", "ana", "website")
    assert done.code == 2
    assert "`home` cannot be made a directory" in done.err


def test_a_log_that_is_something_else_is_not_touched(tmp_path: Path) -> None:
    """A file in the log's place that is no log of ours ends the command as unavailable, unchanged."""
    log = tmp_path / "log.db"
    log.write_bytes(b"something else entirely" * 100)
    before = log.read_bytes()
    done = Cli(tmp_path)("choice", "record", "ana", "--opt-out", "website")
    assert (done.code, log.read_bytes()) == (5, before)
    assert done.err.startswith("error: ")


def test_brokers_that_do_not_answer_are_told(cli: Cli) -> None:
    """Where no broker answers, the command ends as unavailable and says what to do."""
    done = cli("check", "ana", "website", "--kafka", "127.0.0.1:1")
    assert done.code == 5
    assert "no Kafka broker answers at 127.0.0.1:1" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("ana.smith@example.com",),
        ("--ana.smith@example.com",),
        ("check", "ana", "website", "ana.smith@example.com"),
        ("check", "ana", "website", "--ana.smith@example.com=1"),
        ("disclosure", "record", "ana", "--role=ana.smith@example.com"),
        ("choice", "ana.smith@example.com"),
    ],
)
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_wrong_command_line_is_told_without_its_values(
    arguments: tuple[str, ...], more: tuple[str, ...], cli: Cli
) -> None:
    """What is no name and no option may be about a person: the message leaves it out."""
    done = cli(*arguments, *more)
    assert done.code == 2
    assert "smith" not in done.err


def test_a_name_on_a_wrong_command_line_is_told() -> None:
    """A slip of the pen is named up to the limit of a word; anything longer, or with other signs, is not."""
    longest, short = "x" * WORD_SHOWN_MAX, "@" * WORD_HIDDEN_MIN
    words = (longest, longest + "y", short, short[:-1], "--opt-out=O'Brien", "--opt-in")
    said = [without_values(f"no {word!r}", words) for word in words]
    assert said == [f"no '{longest}'", "no '…'", "no '…'", "no '@@'", 'no "…"', "no '--opt-in'"]
    assert without_values('bad "O\'Brien"', words) == 'bad "…"'
