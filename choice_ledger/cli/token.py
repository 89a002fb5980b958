"""``token``: create, list and revoke the tokens that calls carry."""

from typing import cast

import rich_click as click

from choice_ledger.access import SCOPES, Scope
from choice_ledger.cli.options import common
from choice_ledger.cli.session import settings_of
from choice_ledger.wiring import new_id, now, token_file
from events.instants import DAY


@click.group()
def command() -> None:
    """Create, list and revoke the tokens that calls carry."""


@command.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="What for.")
@click.option("--days", type=click.IntRange(1, 3_650), default=90, show_default=True, help="Until it ends.")
@common
@click.pass_context
def create(ctx: click.Context, name: str, scopes: tuple[str, ...], days: int) -> None:
    """Create a token that is recorded as NAME, and print it: it is shown this once."""
    settings, at = settings_of(ctx), now()
    text = token_file(settings).create(
        token_id=new_id(),
        name=name,
        tenant=settings.tenant,
        scopes=cast("tuple[Scope, ...]", scopes),
        now=at,
        expires_at=at + days * DAY,
    )
    click.echo(text)
