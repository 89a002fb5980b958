"""``request``: what individuals ask for of their rights, and how far it has come."""

import rich_click as click

from choice_ledger.cli.instants import INSTANT
from choice_ledger.cli.recording_options import record_and_tell, recording
from events.instants import Micros
from events.record_events import RequestKind
from ledger.record_commands import AdvanceRequest, OpenRequest

_KIND = click.argument(
    "kind",
    type=click.Choice(["access", "correction", "portability", "deletion", "restriction", "objection"]),
)
_STAGE = click.option("--stage", required=True, metavar="NAME", help="The stage that it is in now.")
_DUE_AT = click.option("--due-at", type=INSTANT, help="When it has to be answered.")


@click.group()
def command() -> None:
    """Record requests of individuals, and their stages."""


@command.command(name="open")
@click.argument("individual")
@click.argument("request_id")
@_KIND
@_STAGE
@_DUE_AT
@recording()
@click.pass_context
def open_request(
    ctx: click.Context,
    *,
    individual: str,
    request_id: str,
    kind: RequestKind,
    stage: str,
    due_at: Micros | None,
) -> None:
    """Record that INDIVIDUAL asks for a right of theirs, under the name REQUEST_ID."""
    asked = OpenRequest(individual=individual, request_id=request_id, kind=kind, stage=stage, due_at=due_at)
    record_and_tell(ctx, asked)


@command.command()
@click.argument("individual")
@click.argument("request_id")
@_KIND
@_STAGE
@_DUE_AT
@recording()
@click.pass_context
def advance(
    ctx: click.Context,
    *,
    individual: str,
    request_id: str,
    kind: RequestKind,
    stage: str,
    due_at: Micros | None,
) -> None:
    """Record that the request REQUEST_ID of INDIVIDUAL has reached another stage."""
    reached = AdvanceRequest(
        individual=individual, request_id=request_id, kind=kind, stage=stage, due_at=due_at
    )
    record_and_tell(ctx, reached)
