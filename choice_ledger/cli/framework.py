"""``framework``: which transfer frameworks are in force."""

import rich_click as click

from choice_ledger.cli.instants import INSTANT
from choice_ledger.cli.recording_options import heard, recording, since, tell_receipt
from choice_ledger.cli.session import opened
from choice_ledger.recording import record
from events.instants import Micros
from ledger.commands import SetFramework


@click.group()
def command() -> None:
    """Say which transfer frameworks are in force."""


@command.command(name="set")
@click.argument("framework")
@click.option("--in-force/--not-in-force", required=True, help="Whether it is in force from then on.")
@click.option("--from", "from_", type=INSTANT, help="From when (default: now).")
@recording()
@click.pass_context
def set_status(ctx: click.Context, framework: str, in_force: bool, from_: Micros | None) -> None:
    """Say that FRAMEWORK is in force, or is not, from an instant on."""
    with opened(ctx) as ledger:
        how = heard(ctx, ledger)
        if from_ is None:
            from_ = since(ledger.find_of_policies(how.tenant, how.event_id), ledger.clock())
        tell_receipt(ctx, record(ledger, SetFramework(framework, in_force, from_), how))
