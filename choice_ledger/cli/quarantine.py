"""``quarantine``: unreadable records, whom they deny, and how they were settled."""

import rich_click as click

from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, show_table
from choice_ledger.cli.recording_options import heard, recording, tell_receipt
from choice_ledger.cli.session import opened, opened_to_read
from choice_ledger.exits import refused
from choice_ledger.recording import record
from events.envelope import LEDGER_TENANT
from ledger.commands import ResolveQuarantine
from projections.ports import QuarantineEntry


@click.group()
def command() -> None:
    """List unreadable records, and resolve them."""


@command.command(name="list")
@common
@click.pass_context
def list_entries(ctx: click.Context) -> None:
    """List the records that cannot be read and that nobody has resolved. Those they concern are denied."""
    with opened_to_read(ctx) as ledger:
        entries = ledger.store.open_quarantine()
    names = ("place", "scope", "subject", "reason")
    rows = [(entry.place, entry.scope, entry.subject, entry.reason) for entry in entries]
    if told_as_json(ctx):
        show_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        show_table(names, rows)


@command.command()
@click.argument("place")
@click.option("--how", required=True, metavar="TEXT", help="How it was dealt with, without personal data.")
@recording()
@click.pass_context
def resolve(ctx: click.Context, place: str, how: str) -> None:
    """Say how the unreadable record at PLACE was dealt with; those it concerned are answered again."""
    with opened(ctx) as ledger:
        entry = next((e for e in ledger.store.open_quarantine() if e.place == place), None)
        if entry is None:
            raise refused("place", "must be one that `quarantine list` shows")
        tenant, individual = _settled_by(entry)
        how_heard = heard(ctx, ledger, tenant)
        # Imported into another ledger, it must not settle what will stand at the same place there.
        position = f"{ledger.source.generation}/{place}"
        tell_receipt(ctx, record(ledger, ResolveQuarantine(individual, position, how), how_heard))


def _settled_by(entry: QuarantineEntry) -> tuple[str, str]:
    """Whose event settles it: the individual's own; else the tenant's, or the ledger's, operator's."""
    if entry.scope == "individual":
        tenant, _, individual = entry.subject.partition("/")
        return tenant, individual
    return (entry.subject if entry.scope == "tenant" else LEDGER_TENANT), "operator"
