"""What is documented exists, and what exists is documented."""

from pathlib import Path
from typing import get_args

import click
import pytest

from choice_ledger.cli.root import COMMANDS, load
from choice_ledger.exits import ExitCode
from choice_ledger.settings import SECRETS, Settings, environment_name
from events.union import IndividualEvent, PolicyEvent
from projections.decision import Reason
from tests.broker_fixtures import BROKERS_VARIABLE
from tests.options import LONG_ENVIRONMENT
from tests.tidy.documents import (
    command_paths,
    invocations,
    long_options,
    missing_documents,
    undocumented,
    unknown_invocations,
    variables_in,
    wrong_quotations,
)
from tests.tidy.source import ROOT, Source, python_sources, text_sources

REFERENCE = ROOT / "docs" / "reference"
COMMANDS_PAGE = REFERENCE / "commands.md"
SETTINGS = REFERENCE / "settings.md"
EVENTS = REFERENCE / "events.md"
EXITS = REFERENCE / "exit-codes.md"
REASONS = REFERENCE / "reasons.md"
# Options that every command has, described once.
EVERYWHERE = frozenset({"--help", "--json"})


@pytest.fixture(scope="session")
def commands() -> dict[tuple[str, ...], click.Command]:
    """Every command of the program that is shown to people."""
    loaded = {name: load(name) for name in COMMANDS}
    return {path: command for name, one in loaded.items() for path, command in command_paths(one, (name,))}


def known_variables() -> set[str]:
    """Every environment variable that the program or its tests read."""
    secrets = {f"{environment_name(name)}_FILE" for name in SECRETS}
    settings = {environment_name(name) for name in Settings.__struct_fields__}
    return {*settings, *secrets, environment_name("config"), LONG_ENVIRONMENT, BROKERS_VARIABLE}


def test_every_command_is_documented(commands: dict[tuple[str, ...], click.Command]) -> None:
    """Each command that the program offers is described in the reference, by its full name."""
    names = [" ".join(("choice-ledger", *path)) for path in commands]
    assert names
    assert undocumented(names, COMMANDS_PAGE.read_text(encoding="utf-8")) == []


def test_every_option_is_documented(commands: dict[tuple[str, ...], click.Command]) -> None:
    """Each long option of each command stands in the reference."""
    text = COMMANDS_PAGE.read_text(encoding="utf-8")
    options = {name for names in long_options(commands).values() for name in names} - EVERYWHERE
    assert undocumented(options, text) == []


def documents() -> list[Path]:
    """The documents that show commands to people."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_shown_commands_exist(document: Path, commands: dict[tuple[str, ...], click.Command]) -> None:
    """Each command that a document shows is one that the program has."""
    assert unknown_invocations(document.read_text(encoding="utf-8"), commands.keys()) == []


def test_every_setting_is_documented() -> None:
    """Each setting stands in the reference by its name and by its environment variable."""
    text = SETTINGS.read_text(encoding="utf-8")
    assert undocumented(Settings.__struct_fields__, text) == []
    assert undocumented(map(environment_name, Settings.__struct_fields__), text) == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documented_variables_exist(document: Path) -> None:
    """Each environment variable of ours that a document names is read by the program or its tests."""
    assert variables_in(document.read_text(encoding="utf-8")) - known_variables() == set()


def test_every_event_is_documented() -> None:
    """Each event type of the closed union stands in the reference."""
    names = [member.__name__ for union in (PolicyEvent, IndividualEvent) for member in get_args(union)]
    assert undocumented(names, EVENTS.read_text(encoding="utf-8")) == []


def test_every_reason_is_documented() -> None:
    """Each reason that an answer may have stands in the reference."""
    reasons = [code for literal in get_args(Reason) for code in (get_args(literal) or (literal,))]
    assert undocumented(reasons, REASONS.read_text(encoding="utf-8")) == []


def test_every_exit_code_is_documented() -> None:
    """Each code with which the program ends stands in the reference, so that scripts can use it."""
    assert undocumented((str(code.value) for code in ExitCode), EXITS.read_text(encoding="utf-8")) == []


def test_documents_that_are_named_are_there() -> None:
    """A document that the product or another document names is in the repository."""
    paths = {path.relative_to(ROOT).as_posix() for path in [*documents(), *(ROOT / "examples").rglob("*.md")]}
    readers = [source for source in text_sources() if not source.is_test]
    assert [str(finding) for finding in missing_documents(readers, paths)] == []


def test_a_planted_missing_document_is_caught() -> None:
    """A name without a file is found, with its line; a file that is there, or a page on the web, is not."""
    text = "See a.md.\nSee `docs/gone.md` and https://example.org/gone.md.\n"
    (finding,) = missing_documents([Source(path="x.py", text=text)], {"docs/a.md"})
    assert str(finding) == "x.py:2: names docs/gone.md, which is not there"


def test_quotations_stand_in_their_documents() -> None:
    """Each sentence that the source quotes from a document stands there, word for word."""
    texts = {path.name.lower(): path.read_text(encoding="utf-8") for path in documents()}
    assert [str(finding) for source in python_sources() for finding in wrong_quotations(source, texts)] == []


def test_a_planted_wrong_quotation_is_caught() -> None:
    """Words that a document does not say are found, over line ends and in comments too."""
    said = {"a.md": "What is not told, and\nwhat is *never* asked, is denied."}
    good = '"""``a.md``: "what is not told [...] is\ndenied"."""\n'
    bad = '# ``a.md``, *Rules*: "what is asked\n# is denied"\n'
    findings = list(wrong_quotations(Source(path="x.py", text=good + bad), said))
    assert [str(finding) for finding in findings] == ["x.py:3: a.md does not say: what is asked is denied"]


def test_a_planted_unknown_command_is_caught() -> None:
    """A shown command that does not exist is found; one that exists may be followed by arguments."""
    known = {("check",), ("policy", "publish")}
    text = "`choice-ledger policy publish file`, `choice-ledger policy`, or:\n\n    choice-ledger chekc ana\n"
    assert list(invocations(text)) == [("policy", "publish", "file"), ("policy",), ("chekc", "ana")]
    assert unknown_invocations(text, known) == [("chekc", "ana")]


def test_a_planted_undocumented_name_is_caught() -> None:
    """A name counts as documented in back-ticks only, alone or before its arguments."""
    assert undocumented(["check", "why", "home"], "`check ANA` or why, ``home``") == ["why"]


def test_variables_are_read_whole() -> None:
    """A variable is read to its end, and one that only begins like ours is not taken for it."""
    text = f"Set {LONG_ENVIRONMENT}=1 or MY_{LONG_ENVIRONMENT}."
    assert variables_in(text) == {LONG_ENVIRONMENT}
