"""``complaint``: what individuals complain of, and how far it has come."""

import rich_click as click

from choice_ledger.cli.instants import INSTANT
from choice_ledger.cli.recording_options import record_and_tell, recording
from events.instants import Micros
from ledger.record_commands import AdvanceComplaint, OpenComplaint

_STAGE = click.option("--stage", required=True, metavar="NAME", help="The stage that it is in now.")
_DUE_AT = click.option("--due-at", type=INSTANT, help="When it has to be answered.")
_ABOUT = click.option(
    "--about", default="", metavar="TEXT", help="Its subject, never its text: without personal data."
)


@click.group()
def command() -> None:
    """Record complaints of individuals, and their stages."""


@command.command(name="open")
@click.argument("individual")
@click.argument("complaint_id")
@_STAGE
@_DUE_AT
@_ABOUT
@recording()
@click.pass_context
def open_complaint(
    ctx: click.Context, *, individual: str, complaint_id: str, stage: str, due_at: Micros | None, about: str
) -> None:
    """Record that INDIVIDUAL complains, under the name COMPLAINT_ID."""
    opened = OpenComplaint(
        individual=individual, complaint_id=complaint_id, stage=stage, due_at=due_at, about=about
    )
    record_and_tell(ctx, opened)


@command.command()
@click.argument("individual")
@click.argument("complaint_id")
@_STAGE
@_DUE_AT
@_ABOUT
@recording()
@click.pass_context
def advance(
    ctx: click.Context, *, individual: str, complaint_id: str, stage: str, due_at: Micros | None, about: str
) -> None:
    """Record that the complaint COMPLAINT_ID of INDIVIDUAL has reached another stage."""
    reached = AdvanceComplaint(
        individual=individual, complaint_id=complaint_id, stage=stage, due_at=due_at, about=about
    )
    record_and_tell(ctx, reached)
