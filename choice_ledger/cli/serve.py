"""``serve``: the HTTP service, with the state folded in the same process or by a ``work`` beside it."""

import rich_click as click
import uvloop

from choice_ledger.cli.options import FLAGS, common
from choice_ledger.cli.session import settings_of
from choice_ledger.http.server import serve


def _keep_work(ctx: click.Context, param: click.Parameter, value: bool | None) -> None:  # noqa: ARG001 - a callback of click
    if value is not None:
        ctx.meta.setdefault(FLAGS, {})["serve_work"] = value


@click.command()
@click.option(
    "--work/--no-work",
    default=None,
    expose_value=False,
    callback=_keep_work,
    help="Fold events in this process too (the default), or leave that to `work` on the same home.",
)
@common
@click.pass_context
def command(ctx: click.Context) -> None:
    """Serve HTTP until interrupted (Ctrl-C) or told to end (SIGTERM); calls under way end first."""
    uvloop.run(serve(settings_of(ctx)))  # uvicorn chooses the loop only where it starts it itself.
