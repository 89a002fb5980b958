"""``permissions``: every use of one individual's data, and whether it is permitted."""

import rich_click as click

from choice_ledger.cli.instants import INSTANT
from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, show_table
from choice_ledger.cli.session import opened_to_read, read_model
from choice_ledger.exits import refused
from choice_ledger.permission_list import PermissionList, listed
from events.envelope import InvalidEvent, check_individual, check_selector
from events.instants import Micros
from projections.permissions import TooManyUses
from projections.reader import Enquiry


@click.command()
@click.argument("individual")
@click.option("--purpose", default="*", metavar="SELECTOR", help="A purpose or a branch (default: all).")
@click.option("--at", type=INSTANT, help="When the use would happen (default: now).")
@click.option("--known-at", type=INSTANT, help="On what was recorded by then (default: all).")
@common
@click.pass_context
def command(
    ctx: click.Context, individual: str, purpose: str, at: Micros | None, known_at: Micros | None
) -> None:
    """Show every use of INDIVIDUAL's data that the policies speak of, and whether it is permitted.

    There is one line for the controller's own use of each purpose, and one for each recipient.
    """
    try:
        check_individual(individual)
        check_selector("purpose", purpose)
    except InvalidEvent as fault:
        raise refused(fault.field, fault.message) from None
    with opened_to_read(ctx) as ledger:
        enquiry = Enquiry(
            tenant=ledger.settings.tenant, individual=individual, purpose=purpose, at=at, known_at=known_at
        )
        try:
            found = read_model(ledger).permissions(enquiry)
        except TooManyUses as fault:
            raise refused("purpose", str(fault)) from None
    permissions = listed(enquiry, found)
    if told_as_json(ctx):
        show_json(permissions)
    else:
        show_table(("purpose", "to", "answer", "reason", "until"), _rows(permissions))


def _rows(permissions: PermissionList) -> list[tuple[str, ...]]:
    return [
        (
            permission.purpose,
            permission.recipient or "-",
            "permitted" if permission.decision.permitted else "denied",
            permission.decision.reason,
            permission.decision.until or "-",
        )
        for permission in permissions.permissions
    ]
