"""Commands for operators: the doctor, the demo, settings, completion, policies' lists, topics."""

import json
import os
import re
from pathlib import Path

import httpx
import pytest

from choice_ledger.settings import Settings
from tests.cli.running import EXAMPLES, Cli, run_process
from tests.http.serving import serving
from tests.tidy.source import ROOT


def test_a_sound_ledger_has_no_faults(example: Cli) -> None:
    """The doctor finds nothing to mend in the example, and tells what it looked at."""
    for text in (EXAMPLES / "telemate" / "wording").iterdir():
        put_text(example.home, text.read_bytes())
    findings = example.does("doctor", "--json").json
    assert [finding for finding in findings if finding["state"] == "fault"] == []
    checks = {finding["check"] for finding in findings}
    assert {"packages", "sqlite", "file modes", "tokens", "services"} <= checks
    assert {"ledger", "lag", "quarantine", "texts"} <= checks
    assert "every record can be read" in example.does("doctor").out


def put_text(home: Path, content: bytes) -> None:
    """Store a text in a ledger's content store."""
    from choice_ledger.content_store import ContentStore  # noqa: PLC0415 - used by this function alone

    ContentStore(home / "content").put(content)


def test_the_doctor_warns_of_what_has_to_be_known(example: Cli) -> None:
    """Texts that are missing, files that others may read, and a misspelt variable are warnings."""
    example.does("digest")
    (example.home / "log.db").chmod(0o644)
    misspelt = Cli(example.home, {"CHOICE_LEDGER_HOEM": "x"})
    findings = {f["check"]: f for f in misspelt.does("doctor", "--json").json}
    assert "CHOICE_LEDGER_HOEM" in findings["environment"]["message"]
    assert "log.db" in findings["file modes"]["message"]
    assert findings["texts"]["state"] == "warning"


def test_the_doctor_tells_how_far_the_state_is_behind(example: Cli) -> None:
    """Records that are not folded yet are counted, before they are folded."""
    digest = example.does("digest").out
    (example.home / "state.db").unlink()
    findings = {f["check"]: f for f in example.does("doctor", "--json").json}
    assert findings["lag"] == {
        "check": "lag",
        "state": "warning",
        "message": "the state is 55 records behind the log",
    }
    assert example.does("digest").out == digest


def test_the_doctor_tells_of_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    """A log that is something else is a fault, told with the remedy, and the other checks go on."""
    (tmp_path / "log.db").write_bytes(b"nonsense" * 1000)
    done = Cli(tmp_path)("doctor", "--json")
    findings = {finding["check"]: finding for finding in json.loads(done.out)}
    assert done.code == 6
    assert findings["ledger"]["state"] == "fault"
    assert findings["sqlite"]["state"] == "ok"


@pytest.mark.parametrize("check", ["tokens", "services"])
def test_the_doctor_tells_of_a_file_for_which_all_is_denied(check: str, tmp_path: Path) -> None:
    """A file that is not understood, so that a service denies all, is a fault, and only that one."""
    (tmp_path / f"{check}.json").write_text("nonsense")
    done = Cli(tmp_path)("doctor", "--json")
    faults = [finding for finding in json.loads(done.out) if finding["state"] == "fault"]
    assert done.code == 6
    assert [finding["check"] for finding in faults] == [check]
    assert f"{check}.json is damaged" in faults[0]["message"]


def test_the_doctor_warns_of_a_token_that_ends_soon(tmp_path: Path) -> None:
    """A token that ends within a fortnight is named until another one was made in its place."""
    cli = Cli(tmp_path)
    assert doctored(cli, "tokens") == ("ok", "0 of 0 tokens are active")
    cli.does("token", "create", "portal", "--scope", "check", "--days", "15")
    assert doctored(cli, "tokens") == ("ok", "1 of 1 tokens are active")
    token_id = cli.does("token", "create", "shop", "--scope", "check", "--days", "14", "--json").json["id"]
    assert doctored(cli, "tokens") == ("warning", f"{token_id} end within 14 days; see `token rotate`")
    cli.does("token", "rotate", token_id, "--days", "90")
    assert doctored(cli, "tokens") == ("ok", "3 of 3 tokens are active")


def doctored(cli: Cli, check: str) -> tuple[str, str]:
    """What the doctor says of one check: the state, and the message."""
    (found,) = (finding for finding in cli.does("doctor", "--json").json if finding["check"] == check)
    return found["state"], found["message"]


def test_the_doctor_tells_of_brokers_that_do_not_answer(cli: Cli) -> None:
    """Brokers that do not answer are one fault; what rests on them is not even tried."""
    done = cli("doctor", "--json", "--kafka", "127.0.0.1:1")
    findings = [finding for finding in json.loads(done.out) if finding["state"] == "fault"]
    assert done.code == 6
    assert [finding["check"] for finding in findings] == ["brokers"]
    assert "127.0.0.1:1" in findings[0]["message"]


def test_the_demo_walks_through_the_worked_example(cli: Cli) -> None:
    """The demo's six steps come out as the worked example says, and its ledger is left to look around in."""
    out = cli.does("demo").out
    told = re.findall(r"^   (own use|to adco) ?(PERMITTED|DENIED) +(\w+)", out, re.MULTILINE)
    assert told == [
        ("own use", "DENIED", "population_not_covered"),
        ("to adco", "DENIED", "population_not_covered"),
        ("own use", "PERMITTED", "not_opted_out"),
        ("to adco", "DENIED", "recipient_not_declared"),
        ("own use", "PERMITTED", "not_opted_out"),
        ("to adco", "DENIED", "told_terms_differ"),
        ("own use", "PERMITTED", "not_opted_out"),
        ("to adco", "DENIED", "choice_period_running"),
        ("own use", "PERMITTED", "not_opted_out"),
        ("to adco", "PERMITTED", "not_opted_out"),
        ("own use", "PERMITTED", "not_opted_out"),
        ("to adco", "PERMITTED", "not_opted_out"),
        ("to adco", "DENIED", "opted_out"),
    ]
    assert "Ask again at 2026-06-02T09:00:00.000000Z." in out
    assert "All 40 questions of the example have the answers" in out
    assert "The HTTP service, started on this ledger, gave the same 40 answers to POST /v1/checks." in out
    assert f"export CHOICE_LEDGER_HOME={cli.home}" in out


def test_the_demos_commands_work(cli: Cli) -> None:
    """Each command that the demo proposes does what it says, in the home that it names."""
    out = cli.does("demo").out
    proposed = re.findall(r"^  choice-ledger (.*)$", out, re.MULTILINE)
    look_around = cli.with_tenant("telemate")
    commands = [one.removeprefix("choice-ledger ") for line in proposed for one in line.split(" && ")]
    assert commands.pop() == "serve"
    assert len(commands) == 8
    for command in commands:
        look_around.does(*command.split())


def test_the_demos_ledger_can_be_served_and_asked(cli: Cli) -> None:
    """The last command that the demo proposes asks the service, and gets the answer of the story's end."""
    out = cli.does("demo").out
    asked = re.search(r"curl -s (\S+) -H '(Authorization): (Bearer \w+)' \\\n +--json '(.*)'", out)
    assert asked is not None
    assert asked[1] == "http://127.0.0.1:8700/v1/check"
    headers = {asked[2]: asked[3], "Content-Type": "application/json"}
    with serving(cli.home) as served:
        answer = httpx.post(f"{served.url}/v1/check", headers=headers, content=asked[4]).json()
    assert (answer["permitted"], answer["reason"]) == (False, "opted_out")


def test_the_demo_may_be_walked_through_again(cli: Cli) -> None:
    """A second walk in the same home tells the same answers, and records nothing more."""
    first = cli.does("demo").out
    count = len(cli.exported())
    again = cli.does("demo").out
    token = r"clt_\w+"
    assert re.sub(token, "", re.sub(r"\(\d+ of", "(0 of", first)) == re.sub(token, "", again)
    assert len(cli.exported()) == count


def test_the_demo_leaves_a_ledger_in_use_alone(published: Cli) -> None:
    """A home that holds a ledger with events of its own is not the demo's."""
    before = published.exported()
    done = published("demo")
    assert (done.code, published.exported()) == (2, before)
    assert "`home` holds a ledger that is in use" in done.err


def test_the_demo_makes_itself_a_home(tmp_path: Path) -> None:
    """Without a home the demo makes one in the temporary folder, and names it."""
    done = run_process(None, "demo", more={"TMPDIR": str(tmp_path)})
    named = re.search(r"export CHOICE_LEDGER_HOME=(\S+)", done.out)
    assert done.code == 0, done.err
    assert named is not None
    assert Path(named[1]).parent == tmp_path
    assert len(Cli(Path(named[1])).exported()) == 54


def test_settings_are_shown_with_their_origin(tmp_path: Path) -> None:
    """A flag goes before the environment, that before the file, that before the default."""
    config = tmp_path / "choice-ledger.toml"
    config.write_text('tenant = "file"\nlog_level = "error"\nkafka_partitions = 7\n', encoding="utf-8")
    cli = Cli(tmp_path / "home", {"CHOICE_LEDGER_LOG_LEVEL": "info", "CHOICE_LEDGER_CONFIG": str(config)})
    shown = cli.does("config", "show", "--origin", "--json", "--log-level", "debug").json
    assert shown["log_level"] == {"value": "debug", "origin": "flag"}
    assert shown["home"]["origin"] == "environment"
    assert shown["kafka_partitions"] == {"value": 7, "origin": "file"}
    assert shown["freshness_ms_max"] == {"value": 2000, "origin": "default"}
    assert set(shown) == set(Settings.__struct_fields__)
    table = cli.does("config", "show", "--origin").out
    assert re.search(r"^log_level +info +environment +CHOICE_LEDGER_LOG_LEVEL$", table, re.MULTILINE)


def test_flags_may_stand_before_the_command(tmp_path: Path) -> None:
    """A flag means the same before the command's name and after it; the later one goes before."""
    cli = Cli(tmp_path)
    assert cli.does("--tenant", "acme", "config", "show", "--json").json["tenant"] == "acme"
    assert cli.does("--tenant", "acme", "config", "show", "--tenant", "b", "--json").json["tenant"] == "b"


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    """A secret from a file is shown as set, in every form."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n", encoding="utf-8")
    cli = Cli(tmp_path, {"CHOICE_LEDGER_KAFKA_PASSWORD_FILE": str(secret)})
    for arguments in ((), ("--json",), ("--origin",), ("--origin", "--json")):
        out = cli.does("config", "show", *arguments).out
        assert "hunter2" not in out
        assert "(set)" in out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, tmp_path: Path) -> None:
    """Each shell gets a script that asks this command for completions."""
    done = run_process(tmp_path, "completion", shell)
    assert done.code == 0
    assert "_CHOICE_LEDGER_COMPLETE" in done.out


def test_completions_are_given(tmp_path: Path) -> None:
    """Asked by a shell, the command line completes commands, their sub-commands and options."""
    for words, number, expected in (
        ("choice-ledger pol", "1", "policy"),
        ("choice-ledger policy pub", "2", "publish"),
        ("choice-ledger check --rec", "2", "--recipient"),
    ):
        asked = {"_CHOICE_LEDGER_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": number}
        assert f"plain,{expected}" in run_process(tmp_path, more=asked).out.splitlines()


def test_policies_are_listed_and_shown(example: Cli) -> None:
    """The list has every version and which is in force; a version is shown purpose by purpose."""
    rows = example.does("policy", "list", "--json").json
    assert [(row["policy"], row["version"], row["state"]) for row in rows] == [
        ("privacy", "1", "superseded"),
        ("privacy", "2", "in force"),
    ]
    assert example.does("policy", "list").out.splitlines()[2].split()[:2] == ["privacy", "2"]
    shown = example.does("policy", "show", "privacy", "--version", "2").out
    assert "adco (third_party, opt_out)" in shown
    line = example.does("policy", "show", "privacy", "--json").json
    assert (line["type"], line["version"]) == ("PolicyAmended", 2)


def test_a_version_to_come_is_listed_as_such(published: Cli) -> None:
    """A version that takes effect later is to come, and the one before it stays in force."""
    amended = str(EXAMPLES / "telemate" / "website-and-services.v2.yaml")
    published.does("policy", "publish", amended, "--effective-at", "2999-01-01T00:00:00Z")
    assert [row["state"] for row in published.does("policy", "list", "--json").json] == [
        "in force",
        "to come",
    ]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("nowhere",), "policy_id"),
        (("privacy", "--version", "9"), "version"),
        (("privacy", "--wording", "xx"), "locale"),
    ],
)
def test_what_is_not_there_is_not_shown(arguments: tuple[str, ...], field: str, published: Cli) -> None:
    """A policy, version or language that is not there is told by its field."""
    done = published("policy", "show", *arguments)
    assert (done.code, done.out) == (1, "")
    assert f"`{field}`" in done.err


def test_a_wording_is_shown_as_it_was_stored(published: Cli) -> None:
    """The text of a version is printed byte by byte; one that was changed since is not."""
    text = (EXAMPLES / "telemate" / "wording" / "privacy.v1.en.md").read_bytes()
    shown = published.does("policy", "show", "privacy", "--wording", "en")
    assert shown.out.encode() == text
    place = next(
        file
        for file in (published.home / "content").rglob("*")
        if file.is_file() and file.read_bytes() == text
    )
    place.write_bytes(text + b" ")
    done = published("policy", "show", "privacy", "--wording", "en")
    assert (done.code, done.out) == (6, "")
    assert "has been changed" in done.err


def test_a_ledgers_files_are_its_owners_alone(example: Cli) -> None:
    """No file of a ledger can be read by the group or by others, whatever the umask was."""
    previous = os.umask(0)
    try:
        home = example.home.with_name("private")
        Cli(home).does("choice", "record", "ana", "--opt-out", "website")
        published = str(EXAMPLES / "telemate" / "website-and-services.v1.yaml")
        Cli(home).does("policy", "publish", published, "--now")
        Cli(home).does("rebuild")
    finally:
        os.umask(previous)
    assert [
        path for path in (home, *home.rglob("*")) if not path.is_symlink() and path.stat().st_mode & 0o077
    ] == []


def test_the_version_is_the_distributions(tmp_path: Path) -> None:
    """`--version` prints the version of pyproject.toml."""
    version = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert version[1] in Cli(tmp_path).does("--version").out
