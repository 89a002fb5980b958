"""``choice``: record an opt-out or an opt-in, and who has put it into effect."""

from collections.abc import Collection

import rich_click as click

from choice_ledger.cli.output import warn
from choice_ledger.cli.recording_options import heard, record_and_tell, recording, tell_receipt
from choice_ledger.cli.session import opened
from choice_ledger.exits import ExitCode, Failure, refused
from choice_ledger.recording import record as record_command
from events.envelope import InvalidEvent
from events.individual_events import Evidence
from events.selectors import covers
from ledger.commands import RecordChoice
from ledger.record_commands import ReportApplied

_UNDECLARED = {
    "opt_out": "`purposes` name one that no policy declares; if it is misspelt, record another",
    "opt_in": "`purposes` name one that no policy declares; an opt-in is for purposes, not a branch",
}


@click.group()
def command() -> None:
    """Record opt-outs and opt-ins, and who has put them into effect."""


@command.command()
@click.argument("individual")
@click.option(
    "--opt-out",
    "opt_outs",
    multiple=True,
    metavar="SELECTOR",
    help="Opt out of a purpose, a branch, or *.",
)
@click.option("--opt-in", "opt_ins", multiple=True, metavar="KEY", help="Opt in to a purpose.")
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    metavar="NAME",
    help="Only for this recipient (default: an opt-out is for everything, an opt-in for own use alone).",
)
@click.option(
    "--version",
    "versions",
    multiple=True,
    metavar="POLICY=N",
    help="The version of a policy that the individual had before them.",
)
@click.option("--evidence", metavar="SHA256:KIND", help="The digest of what proves it, and its kind (scan).")
@recording(actor="individual")
@click.pass_context
def record(
    ctx: click.Context,
    *,
    individual: str,
    opt_outs: tuple[str, ...],
    opt_ins: tuple[str, ...],
    recipients: tuple[str, ...],
    versions: tuple[str, ...],
    evidence: str | None,
) -> None:
    """Record what INDIVIDUAL chose: --opt-out or --opt-in, each as often as there are purposes."""
    if bool(opt_outs) == bool(opt_ins):
        raise Failure(ExitCode.USAGE, "give --opt-out or --opt-in; two choices are two commands")
    choice = RecordChoice(
        individual=individual,
        decision="opt_out" if opt_outs else "opt_in",
        purposes=opt_outs or opt_ins,
        recipients=recipients or None,
        versions=dict(map(_version, versions)) or None,
        evidence=None if evidence is None else _evidence(evidence),
    )
    with opened(ctx) as ledger:
        receipt = record_command(ledger, choice, heard(ctx, ledger))
        declared = ledger.tenant(ledger.settings.tenant).owners
        if not all(_speaks_of_one(choice, selector, declared) for selector in choice.purposes):
            warn(_UNDECLARED[choice.decision])
        tell_receipt(ctx, receipt)


@command.command()
@click.argument("individual")
@click.argument("service")
@click.argument("position")
@recording(actor="service")
@click.pass_context
def applied(ctx: click.Context, individual: str, service: str, position: str) -> None:
    """Record that SERVICE has put what INDIVIDUAL chose into effect, up to POSITION of a receipt."""
    record_and_tell(ctx, ReportApplied(individual, service, position))


def _speaks_of_one(choice: RecordChoice, selector: str, declared: Collection[str]) -> bool:
    """Whether the selector names something declared: a purpose, or in an opt-out a branch of them."""
    if choice.decision == "opt_in":
        return selector in declared
    return any(covers((selector,), key) for key in declared)


def _version(text: str) -> tuple[str, int]:
    policy_id, _, number = text.rpartition("=")
    if not policy_id or not number.isdecimal():
        raise refused("versions", "must be a policy and a number, such as privacy=2")
    return policy_id, int(number)


def _evidence(text: str) -> Evidence:
    digest, _, kind = text.partition(":")
    try:
        return Evidence(sha256=digest, kind=kind)
    except InvalidEvent as fault:
        raise refused(fault.field, fault.message) from None
