"""``service``: register the ids under which the tenant's own services act."""

import rich_click as click

from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, show_lines, show_table
from choice_ledger.cli.session import settings_of
from choice_ledger.exits import ExitCode, Failure, refused
from choice_ledger.service_file import ServicesFull
from choice_ledger.wiring import now, service_file
from events.envelope import InvalidEvent
from events.instants import format_instant


@click.group()
def command() -> None:
    """Register the ids under which the tenant's own services act."""


@command.command()
@click.argument("service_id", metavar="ID")
@common
@click.pass_context
def add(ctx: click.Context, service_id: str) -> None:
    """Register the service ID: what it uses is the tenant's own use, and no disclosure."""
    settings = settings_of(ctx)
    try:
        added = service_file(settings).add(settings.tenant, service_id, now())
    except InvalidEvent as fault:
        raise refused(fault.field, fault.message) from None
    except ServicesFull as fault:
        raise Failure(ExitCode.REFUSED, str(fault)) from None
    _tell(ctx, "added", added, "registered" if added else "was registered already")


@command.command()
@click.argument("service_id", metavar="ID")
@common
@click.pass_context
def remove(ctx: click.Context, service_id: str) -> None:
    """Forget the service ID: within a second nothing is an own use of it any more."""
    settings = settings_of(ctx)
    removed = service_file(settings).remove(settings.tenant, service_id)
    _tell(ctx, "removed", removed, "removed" if removed else "was not registered")


@command.command(name="list")
@common
@click.pass_context
def list_services(ctx: click.Context) -> None:
    """List the tenant's own services."""
    settings = settings_of(ctx)
    names = ("id", "added_at")
    rows = [
        (own.id, format_instant(own.added_at)) for own in service_file(settings).services(settings.tenant)
    ]
    if told_as_json(ctx):
        show_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        show_table(names, rows)


def _tell(ctx: click.Context, name: str, changed: bool, sentence: str) -> None:
    if told_as_json(ctx):
        show_json({name: changed})
    else:
        show_lines([sentence])
