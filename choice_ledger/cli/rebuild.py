"""``rebuild``: the state anew from the first event."""

from contextlib import closing

import rich_click as click

from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json
from choice_ledger.cli.progress import progress
from choice_ledger.cli.session import settings_of
from choice_ledger.ledger_at_hand import records_between
from choice_ledger.wiring import open_log, rebuilt_store
from projections.digest import state_digest
from projections.ports import StateStore
from projections.replay import rebuild


@click.command()
@click.option("--digest-only", is_flag=True, help="Print the digest, and leave the present state as it is.")
@common
@click.pass_context
def command(ctx: click.Context, *, digest_only: bool) -> None:
    """Fold every event into a fresh state, print its digest, and put it in the place of the present one.

    The present state answers meanwhile. Cut off at any time, it is what is left.
    """
    settings = settings_of(ctx)
    digests: list[str] = []
    with closing(open_log(settings)) as log:

        def fill(store: StateStore) -> None:
            total = records_between(log.start(), log.end())
            with progress("folding", total) as reached:
                rebuild(log, store, lambda done: reached(done.done))
            digests.append(state_digest(store))

        rebuilt_store(settings, log, fill, replace=not digest_only)
    if told_as_json(ctx):
        show_json({"digest": digests[0], "replaced": not digest_only})
    else:
        click.echo(digests[0])
