"""``restriction``: restrict processing, and lift restrictions."""

import rich_click as click

from choice_ledger.cli.recording_options import record_and_tell, recording
from ledger.commands import LiftRestriction, RestrictProcessing


@click.group()
def command() -> None:
    """Restrict processing, and lift restrictions."""


@command.command()
@click.argument("individual")
@click.argument("restriction_id")
@click.option(
    "--purpose", "purposes", multiple=True, metavar="SELECTOR", help="Only for these (default: all)."
)
@recording()
@click.pass_context
def record(ctx: click.Context, individual: str, restriction_id: str, purposes: tuple[str, ...]) -> None:
    """Restrict the processing of INDIVIDUAL's data, under the name RESTRICTION_ID."""
    record_and_tell(ctx, RestrictProcessing(individual, restriction_id, purposes or None))


@command.command()
@click.argument("individual")
@click.argument("restriction_id")
@recording()
@click.pass_context
def lift(ctx: click.Context, individual: str, restriction_id: str) -> None:
    """End the restriction RESTRICTION_ID of INDIVIDUAL."""
    record_and_tell(ctx, LiftRestriction(individual, restriction_id))
