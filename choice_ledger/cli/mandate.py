"""``mandate``: who may act for an individual."""

import rich_click as click

from choice_ledger.cli.recording_options import record_and_tell, recording
from events.record_events import MandateKind
from ledger.record_commands import EndMandate, GiveMandate

_KIND = click.argument("kind", type=click.Choice(["agent", "guardian"]))


@click.group()
def command() -> None:
    """Record who may act for an individual."""


@command.command()
@click.argument("individual")
@click.argument("mandate_id")
@click.argument("holder")
@_KIND
@recording()
@click.pass_context
def give(ctx: click.Context, individual: str, mandate_id: str, holder: str, kind: MandateKind) -> None:
    """Record that HOLDER, a pseudonymous id, may act for INDIVIDUAL, under the name MANDATE_ID."""
    given = GiveMandate(individual=individual, mandate_id=mandate_id, holder=holder, kind=kind)
    record_and_tell(ctx, given)


@command.command()
@click.argument("individual")
@click.argument("mandate_id")
@click.argument("holder")
@_KIND
@recording()
@click.pass_context
def end(ctx: click.Context, individual: str, mandate_id: str, holder: str, kind: MandateKind) -> None:
    """Record that the mandate MANDATE_ID of HOLDER for INDIVIDUAL is over."""
    ended = EndMandate(individual=individual, mandate_id=mandate_id, holder=holder, kind=kind)
    record_and_tell(ctx, ended)
