"""``follow``: keep the state up with the log, so that every other command finds little left to fold."""

import signal
import threading

import rich_click as click

from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, warn
from choice_ledger.cli.session import opened
from choice_ledger.fault_codes import failure_of
from consumers.runner import run
from projections.projector import Projector


@click.command()
@common
@click.pass_context
def command(ctx: click.Context) -> None:
    """Fold events as they come, until interrupted (Ctrl-C) or told to end (SIGTERM).

    A fault that may pass, such as a broker that is away, is told and tried again.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    folded = 0
    with opened(ctx) as ledger:
        projector = Projector(ledger.source, ledger.store)

        def step(*, wait_ms: int) -> int:
            nonlocal folded
            count = projector.step(wait_ms=wait_ms)
            folded += count
            return count

        click.echo("the state is up with the log, and stays so until this command ends", err=True)
        run(step, stop, lambda fault, count: warn(f"{failure_of(fault)}; try {count} failed, trying again"))
    if told_as_json(ctx):
        show_json({"folded": folded})
    else:
        click.echo(f"{folded} records folded since the beginning of this command")
