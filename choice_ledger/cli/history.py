"""``history``: every event of one individual."""

import sys

import rich_click as click

from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_table
from choice_ledger.cli.session import opened_to_read
from choice_ledger.event_sentences import said
from choice_ledger.exits import refused
from events.envelope import InvalidEvent, check_individual
from events.instants import format_instant
from events.lines import format_line
from ledger.links import in_order


@click.command()
@click.argument("individual")
@common
@click.pass_context
def command(ctx: click.Context, individual: str) -> None:
    """Show every event of INDIVIDUAL, in the order in which they happened.

    With --json each is a line that `import` reads.
    """
    try:
        check_individual(individual)
    except InvalidEvent as fault:
        raise refused(fault.field, fault.message) from None
    with opened_to_read(ctx) as ledger:
        history = in_order(ledger.history(f"{ledger.settings.tenant}/{individual}"))
    if told_as_json(ctx):
        sys.stdout.writelines(format_line(recorded).decode() + "\n" for recorded in history)
        return
    rows = [
        (
            format_instant(recorded.event.occurred_at),
            format_instant(recorded.recorded_at),
            type(recorded.event).__name__,
            said(recorded),
            recorded.event.actor.kind,
            recorded.event.medium,
            recorded.event.event_id,
        )
        for recorded in history
    ]
    show_table(("occurred at", "recorded at", "event", "what", "actor", "medium", "event id"), rows)
