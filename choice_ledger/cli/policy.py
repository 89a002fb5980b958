"""``policy``: draft, review, publish, show, list and withdraw."""

import sys
from pathlib import Path

import rich_click as click

from choice_ledger.cli.instants import INSTANT
from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, show_lines, show_table
from choice_ledger.cli.recording_options import heard, record_and_tell, recording, tell_receipt
from choice_ledger.cli.session import opened, opened_to_read
from choice_ledger.exits import ExitCode, Failure, refused
from choice_ledger.policy_file import PolicyFile, PolicyFileRefused, read_policy_file
from choice_ledger.policy_publishing import publication, withdrawal
from choice_ledger.policy_tables import list_rows, policy_json, terms_rows
from choice_ledger.recording import record
from events.catalogue import Version
from events.instants import Micros, format_instant
from events.lines import format_line
from events.policy_events import ReviewVerdict
from events.union import Recorded
from ledger.record_commands import DraftPolicy, ReviewPolicy


@click.group()
def command() -> None:
    """Draft, review, publish, show, list and withdraw policies."""


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--effective-at", type=INSTANT, help="From when it is in force (default: what the file says).")
@click.option("--now", "at_once", is_flag=True, help="It is in force as soon as it is recorded.")
@recording()
@click.pass_context
def publish(ctx: click.Context, file: Path, effective_at: Micros | None, at_once: bool) -> None:
    """Publish the version of a policy that FILE (YAML) describes, with the texts that it names."""
    policy = _read(file)
    if effective_at is not None and at_once:
        raise Failure(ExitCode.USAGE, "give --effective-at or --now, not both")
    with opened(ctx) as ledger:
        command = publication(policy, effective_at, at_once=at_once)
        for text in policy.wording.values():  # Before the event that names them, so that none is missing.
            ledger.content.put(text)
        tell_receipt(ctx, record(ledger, command, heard(ctx, ledger)))


@command.command()
@click.argument("policy_id")
@click.option("--effective-at", type=INSTANT, help="From when nothing of it is declared (default: at once).")
@recording()
@click.pass_context
def withdraw(ctx: click.Context, policy_id: str, effective_at: Micros | None) -> None:
    """Withdraw the policy POLICY_ID: its next version declares no purposes."""
    with opened(ctx) as ledger:
        how = heard(ctx, ledger)
        held = ledger.find_of_policies(how.tenant, how.event_id)
        command = withdrawal(ledger.tenant(how.tenant), policy_id, effective_at, held)
        if command is None:
            raise refused("policy_id", "must name a policy that is published; `policy list` shows them")
        tell_receipt(ctx, record(ledger, command, how))


@command.command()
@click.argument("policy_id")
@click.argument("version", type=int)
@click.argument("draft_sha256")
@recording()
@click.pass_context
def draft(ctx: click.Context, policy_id: str, version: int, draft_sha256: str) -> None:
    """Record that a draft of VERSION of the policy POLICY_ID was handed in, by its text's digest."""
    record_and_tell(ctx, DraftPolicy(policy_id=policy_id, version=version, draft_sha256=draft_sha256))


@command.command()
@click.argument("policy_id")
@click.argument("version", type=int)
@click.argument("draft_sha256")
@click.argument("verdict", type=click.Choice(["approved", "rejected"]))
@click.option("--comment", default="", metavar="TEXT", help="The reviewer's words, without personal data.")
@recording()
@click.pass_context
def review(
    ctx: click.Context,
    *,
    policy_id: str,
    version: int,
    draft_sha256: str,
    verdict: ReviewVerdict,
    comment: str,
) -> None:
    """Record what a reviewer decided about that draft."""
    judged = ReviewPolicy(
        policy_id=policy_id, version=version, draft_sha256=draft_sha256, verdict=verdict, comment=comment
    )
    record_and_tell(ctx, judged)


@command.command(name="list")
@common
@click.pass_context
def list_policies(ctx: click.Context) -> None:
    """List the policies, their versions, and which version is in force."""
    with opened_to_read(ctx) as ledger:
        policies, now = ledger.tenant(ledger.settings.tenant), ledger.clock()
        if told_as_json(ctx):
            show_json(policy_json(policies, now))
        else:
            headings = ("policy", "version", "effective at", "recorded at", "purposes", "state", "title")
            show_table(headings, list_rows(policies, now))


@command.command()
@click.argument("policy_id")
@click.option("--version", type=int, help="Which version (default: the highest).")
@click.option("--wording", metavar="LOCALE", help="Print the text that people are shown, instead.")
@common
@click.pass_context
def show(ctx: click.Context, policy_id: str, version: int | None, wording: str | None) -> None:
    """Show a version of the policy POLICY_ID: its terms, purpose by purpose."""
    with opened_to_read(ctx) as ledger:
        standing = ledger.tenant(ledger.settings.tenant).standing.get(policy_id, ())
        found = _version(standing, version)
        if wording is not None:
            sys.stdout.buffer.write(ledger.content.get(_digest(found, wording)))
        elif told_as_json(ctx):
            sys.stdout.write(format_line(Recorded(found.event, found.recorded_at)).decode() + "\n")
        else:
            _show(found)


def _read(file: Path) -> PolicyFile:
    policy = read_policy_file(file)
    if isinstance(policy, PolicyFileRefused):
        for error in policy.errors:
            field = f" `{error.field}`" if error.field else ""
            sys.stderr.write(f"{file}:{error.line}:{field} {error.message}\n")
        count = len(policy.errors)
        faults = "1 fault" if count == 1 else f"{count} faults"
        raise Failure(ExitCode.REFUSED, f"the policy file has {faults}; nothing of it is recorded")
    return policy


def _version(standing: tuple[Version, ...], number: int | None) -> Version:
    if not standing:
        raise refused("policy_id", "must name a policy that is published; `policy list` shows them")
    if number is not None and not 1 <= number <= len(standing):
        raise refused("version", f"must be a published version, 1 to {len(standing)}")
    return standing[-1 if number is None else number - 1]


def _digest(version: Version, locale: str) -> str:
    digest = version.event.wording.get(locale)
    if digest is None:
        locales = ", ".join(version.event.wording) or "none"
        raise refused("locale", f"must be one that this version has a wording in ({locales})")
    return digest


def _show(version: Version) -> None:
    event = version.event
    show_lines(
        (
            f"{event.policy_id}, version {event.version}: {event.title}",
            f"in force from {format_instant(event.effective_at)}",
            f"recorded at {format_instant(version.recorded_at)}",
            event.summary,
            f"contact: {event.contact}",
            *(f"wording ({locale}): {digest}" for locale, digest in event.wording.items()),
            "",
        )
    )
    headings = ("purpose", "mode", "recipients", "data", "populations", "choice period", "meaning")
    show_table(headings, terms_rows(event.purposes))
