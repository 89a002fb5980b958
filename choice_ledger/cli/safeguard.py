"""``safeguard``: what an operator goes on without, on record."""

import rich_click as click

from choice_ledger.cli.recording_options import record_and_tell, recording
from ledger.commands import WaiveSafeguard


@click.group()
def command() -> None:
    """Go on without a safeguard, on record."""


@command.command()
@click.argument("what")
@click.option("--why", required=True, metavar="TEXT", help="Why, without personal data.")
@recording()
@click.pass_context
def waive(ctx: click.Context, what: str, why: str) -> None:
    """Record that the safeguard WHAT is done without. Every audit prints it."""
    record_and_tell(ctx, WaiveSafeguard(what, why))
