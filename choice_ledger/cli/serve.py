"""``serve``: the HTTP service, with the state followed in the same process."""

import asyncio

import rich_click as click

from choice_ledger.cli.options import common
from choice_ledger.cli.session import settings_of
from choice_ledger.http.server import serve


@click.command()
@common
@click.pass_context
def command(ctx: click.Context) -> None:
    """Serve HTTP until interrupted (Ctrl-C) or told to end (SIGTERM); calls under way end first."""
    asyncio.run(serve(settings_of(ctx)))
