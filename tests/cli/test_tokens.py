"""Tokens and services on the command line: told once, listed without a secret, ended for good."""

import json
import re

import pytest

from choice_ledger.access import SCOPES
from choice_ledger.cli.token import DAYS_MAX, OVERLAP_HOURS_MAX
from choice_ledger.token_text import digest_of, is_whole
from events.instants import DAY, HOUR, parse_instant
from tests.cli.running import Cli, run_process

UNKNOWN = "00000000-0000-7000-8000-000000000000"


def made(cli: Cli, *options: str) -> dict[str, object]:
    """A new token as JSON, with its text."""
    token: dict[str, object] = cli.does(
        "token", "create", "portal", "--scope", "check", *options, "--json"
    ).json
    return token


def states(cli: Cli) -> list[str]:
    return [token["state"] for token in cli.does("token", "list", "--json").json]


def test_a_token_is_printed_alone_on_its_line(cli: Cli) -> None:
    """A script takes standard output as the token: it is whole, and nothing stands beside it."""
    done = cli.does("token", "create", "portal", "--scope", "check")
    assert done.err == ""
    assert re.fullmatch(r"clt_\w{49}\n", done.out)
    assert is_whole(done.out.strip())


def test_a_token_is_told_once_and_never_listed(cli: Cli) -> None:
    """Neither list nor file shows a token; the list does not even show digests."""
    text = str(made(cli)["token"])
    listed = cli.does("token", "list").out + cli.does("token", "list", "--json").out
    assert text[4:20] not in listed
    assert digest_of(text) not in listed
    assert text[4:20] not in (cli.home / "tokens.json").read_text()


def test_what_is_told_of_a_new_token(cli: Cli) -> None:
    """Name, scopes, tenant and the end that was asked for; the tenant is the setting's."""
    token = made(cli.with_tenant("acme"), "--scope", "audit", "--days", "7")
    lasts = parse_instant(str(token["expires_at"])) - parse_instant(str(token["created_at"]))
    assert lasts == 7 * DAY
    assert (token["name"], token["tenant"], token["scopes"]) == ("portal", "acme", ["check", "audit"])
    assert (token["state"], token["revoked_at"], token["replaces"]) == ("active", None, None)


def test_every_scope_can_be_given(cli: Cli) -> None:
    """Each scope is one that the command takes, and a token may have them all."""
    options = [option for scope in SCOPES for option in ("--scope", scope)]
    token = cli.does("token", "create", "all", *options, "--json").json
    assert token["scopes"] == list(SCOPES)


def test_the_list_shows_every_tenants_tokens(cli: Cli) -> None:
    """Whoever holds the home directory sees all that can be done with it, ended or not."""
    made(cli)
    made(cli.with_tenant("acme"))
    table = cli.does("token", "list").out.splitlines()
    assert table[0].split() == ["ID", "NAME", "TENANT", "SCOPES", "CREATED_AT", "EXPIRES_AT", "STATE"]
    assert [line.split()[2] for line in table[1:]] == ["main", "acme"]
    assert all(line.endswith("active") for line in table[1:])


def test_an_empty_list_is_a_list(cli: Cli) -> None:
    """Where there is no token there is nothing to list, and no file is made."""
    assert cli.does("token", "list", "--json").json == []
    assert not (cli.home / "tokens.json").exists()


def test_a_revoked_token_stays_revoked(cli: Cli) -> None:
    """Revoking again says when it was, and changes nothing."""
    token_id = str(made(cli)["id"])
    first = cli.does("token", "revoke", token_id)
    assert first.out.startswith("revoked at ")
    assert cli.does("token", "revoke", token_id).out == first.out
    assert cli.does("token", "revoke", token_id, "--json").json["state"] == "revoked"
    assert states(cli) == ["revoked"]


def test_a_rotated_token_is_replaced(cli: Cli) -> None:
    """The new token names the one that it replaces, and lasts as long; the old one goes on for a day."""
    old = made(cli, "--days", "30")
    new = cli.does("token", "rotate", str(old["id"]), "--json").json
    assert new["token"] != old["token"]
    assert (new["replaces"], new["name"], new["scopes"]) == (old["id"], "portal", ["check"])
    assert parse_instant(new["expires_at"]) - parse_instant(new["created_at"]) == 30 * DAY
    ending = cli.does("token", "list", "--json").json[0]
    assert parse_instant(ending["expires_at"]) - parse_instant(new["created_at"]) == 24 * HOUR
    assert states(cli) == ["active", "active"]


def test_a_token_is_rotated_without_overlap(cli: Cli) -> None:
    """The old one has ended when the new one is told."""
    old = str(made(cli)["id"])
    done = cli.does("token", "rotate", old, "--overlap-hours", "0", "--days", "1")
    assert is_whole(done.out.strip())
    assert states(cli) == ["expired", "active"]


def test_ended_tokens_are_forgotten_when_asked_for(cli: Cli) -> None:
    """Pruning keeps what is good and what ended lately."""
    cli.does("token", "revoke", str(made(cli)["id"]))
    made(cli)
    assert cli.does("token", "prune", "--json").json == {"pruned": 0}
    assert cli.does("token", "prune", "--ended-days", "0").out == "1 tokens forgotten\n"
    assert states(cli) == ["active"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("create", "portal"), 2),
        (("create", "portal", "--scope", "everything"), 2),
        (("create", "portal", "--scope", "check", "--days", "0"), 2),
        (("create", "portal", "--scope", "check", "--days", str(DAYS_MAX + 1)), 2),
        (("create", "ana@example.org", "--scope", "check"), 1),
        (("create", "portal", "--scope", "check", "--tenant", "ledger"), 2),
        (("create", "portal", "--scope", "check", "--tenant", "a@b"), 2),
        (("revoke", UNKNOWN), 1),
        (("rotate", UNKNOWN), 1),
        (("rotate", UNKNOWN, "--overlap-hours", "-1"), 2),
        (("rotate", UNKNOWN, "--overlap-hours", str(OVERLAP_HOURS_MAX + 1)), 2),
        (("prune", "--ended-days", str(DAYS_MAX + 1)), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_asked_of_tokens(cli: Cli, words: tuple[str, ...], code: int) -> None:
    """What is wrong is refused with its exit code and in one line without the address; nothing is made."""
    done = cli("token", *words)
    assert done.code == code, done.err
    assert done.out == ""
    assert "example.org" not in done.err
    assert not (cli.home / "tokens.json").exists()


def test_the_greatest_numbers_are_taken(cli: Cli) -> None:
    """The longest life and the longest overlap are taken."""
    token = made(cli, "--days", str(DAYS_MAX))
    cli.does("token", "rotate", str(token["id"]), "--overlap-hours", str(OVERLAP_HOURS_MAX))
    cli.does("token", "prune", "--ended-days", str(DAYS_MAX))
    assert states(cli) == ["active", "active"]


@pytest.mark.parametrize("words", [("create", "p", "--scope", "check"), ("list",), ("prune",)], ids=" ".join)
def test_a_damaged_file_is_told_and_kept(cli: Cli, words: tuple[str, ...]) -> None:
    """A file that is not understood ends every command with 6, and stays as it is."""
    made(cli)
    path = cli.home / "tokens.json"
    path.write_text(path.read_text()[:-9])
    damaged = path.read_text()
    done = cli("token", *words)
    assert (done.code, done.out) == (6, "")
    assert "tokens.json" in done.err
    assert "restore" in done.err
    assert path.read_text() == damaged


def test_tokens_are_made_in_a_process_of_its_own(cli: Cli) -> None:
    """The command works as people run it, and leaves a home directory for its owner alone."""
    done = run_process(cli.home, "token", "create", "portal", "--scope", "check", "--json")
    assert done.code == 0, done.err
    assert is_whole(json.loads(done.out)["token"])
    modes = {path.name: path.stat().st_mode & 0o077 for path in (cli.home, *cli.home.iterdir())}
    assert set(modes.values()) == {0}


def test_services_are_registered_and_removed(cli: Cli) -> None:
    """Each command says what it came to, and may be repeated."""
    assert cli.does("service", "add", "payroll").out == "registered\n"
    assert cli.does("service", "add", "payroll", "--json").json == {"added": False}
    assert [own["id"] for own in cli.does("service", "list", "--json").json] == ["payroll"]
    assert cli.does("service", "list").out.splitlines()[0].split() == ["ID", "ADDED_AT"]
    assert cli.does("service", "remove", "payroll").out == "removed\n"
    assert cli.does("service", "remove", "payroll", "--json").json == {"removed": False}
    assert cli.does("service", "list", "--json").json == []


def test_services_are_each_tenants_own(cli: Cli) -> None:
    """What one tenant registers is no service of another's."""
    cli.does("service", "add", "payroll")
    assert cli.with_tenant("acme").does("service", "list", "--json").json == []


def test_no_person_is_registered_as_a_service(cli: Cli) -> None:
    """An address is refused, and not repeated."""
    done = cli("service", "add", "ana@example.org")
    assert done.code == 1
    assert "example.org" not in done.err
    assert not (cli.home / "services.json").exists()
