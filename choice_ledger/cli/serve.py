"""``serve``: the HTTP service, with the state folded in the same process or by a ``work`` beside it."""

import msgspec
import rich_click as click
import uvloop

from choice_ledger.cli.options import FLAGS, common, loaded_settings
from choice_ledger.http.server import serve
from choice_ledger.logging import configure
from choice_ledger.settings import LogLevel


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
    """Serve HTTP until interrupted (Ctrl-C) or told to end (SIGTERM); calls under way end first.

    It then ends with 0; a second signal ends it at once, with 128 and the signal's number. It logs on
    standard error, as JSON lines, from `info` on unless `log_level` is set.
    """
    loaded = loaded_settings(ctx)
    chosen: LogLevel = "info" if loaded.origins["log_level"] == "default" else loaded.settings.log_level
    settings = msgspec.structs.replace(loaded.settings, log_level=chosen)
    configure(settings.log_level)
    uvloop.run(serve(settings))  # uvicorn chooses the loop only where it starts it itself.
