"""``work``: the projector and all consumers, apart from the process that serves or beside commands."""

import signal
import threading

import rich_click as click

from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, warn
from choice_ledger.cli.session import opened
from choice_ledger.fault_codes import failure_of
from consumers.working import Folding, Worker, work


@click.command()
@common
@click.pass_context
def command(ctx: click.Context) -> None:
    """Fold events as they come, until interrupted (Ctrl-C) or told to end (SIGTERM).

    A fault that may pass, such as a broker that is away, is told and tried again. Beside it `serve --no-work`
    answers calls on the same home.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    with opened(ctx) as ledger:
        folding = Folding(ledger.source, ledger.store)
        click.echo("the state is up with the log, and stays so until this command ends", err=True)
        work([Worker("projector", folding.step)], stop, _tell)
    if told_as_json(ctx):
        show_json({"folded": folding.folded})
    else:
        click.echo(f"{folding.folded} records folded since the beginning of this command")


def _tell(name: str, fault: Exception, in_a_row: int) -> None:
    warn(f"{name}: {failure_of(fault)}; try {in_a_row} failed, trying again")
