"""``config``: the settings of this call."""

import rich_click as click

from choice_ledger.cli.options import common, loaded_settings, told_as_json
from choice_ledger.cli.output import show_json, show_table
from choice_ledger.settings import environment_name, shown


@click.group()
def command() -> None:
    """Show the settings, and where each came from."""


@command.command()
@click.option("--origin", is_flag=True, help="Show where each value came from, and its environment variable.")
@common
@click.pass_context
def show(ctx: click.Context, origin: bool) -> None:
    """Show every setting. A secret is shown as set or not."""
    loaded = loaded_settings(ctx)
    values = shown(loaded)
    if told_as_json(ctx):
        show_json(
            {n: {"value": v, "origin": loaded.origins[n]} for n, v in values.items()} if origin else values
        )
    elif origin:
        rows = [(n, str(v), loaded.origins[n], environment_name(n)) for n, v in values.items()]
        show_table(("setting", "value", "origin", "environment"), rows)
    else:
        show_table(("setting", "value"), [(name, str(value)) for name, value in values.items()])
