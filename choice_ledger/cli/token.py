"""``token``: create, list, rotate, revoke and forget the tokens that calls carry."""

from collections.abc import Callable
from typing import Final, TypeVar, cast

import rich_click as click

from choice_ledger.access import SCOPES, Scope
from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, show_lines, show_table
from choice_ledger.cli.session import settings_of
from choice_ledger.exits import ExitCode, Failure, refused
from choice_ledger.token_file import Token, TokenFile, TokenRefused
from choice_ledger.wiring import new_id, now, token_file
from events.envelope import InvalidEvent
from events.instants import DAY, HOUR, Micros, format_instant

DAYS_MAX: Final = 3_650
"""Days for which a token may be good."""

OVERLAP_HOURS_MAX: Final = 720
"""Hours for which a token that was rotated may go on beside the one that replaces it."""

_T = TypeVar("_T")
_days = click.IntRange(1, DAYS_MAX)


@click.group()
def command() -> None:
    """Create, list, rotate and revoke the tokens that calls carry."""


@command.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice(SCOPES), help="What for.")
@click.option("--days", type=_days, default=90, show_default=True, help="After how many days it ends.")
@common
@click.pass_context
def create(ctx: click.Context, name: str, scopes: tuple[str, ...], days: int) -> None:
    """Create a token under which NAME is recorded, and print it: it is shown this once."""
    settings, at, token_id = settings_of(ctx), now(), new_id()
    tokens = token_file(settings)
    text = _asked(
        lambda: tokens.create(
            token_id=token_id,
            name=name,
            tenant=settings.tenant,
            scopes=cast("tuple[Scope, ...]", scopes),
            now=at,
            expires_at=at + days * DAY,
        )
    )
    _tell_new(ctx, tokens, token_id, text, at)


@command.command(name="list")
@common
@click.pass_context
def list_tokens(ctx: click.Context) -> None:
    """List every token of the home directory, of all tenants. None is shown: only digests are kept."""
    at = now()
    shown = [_shown(token, at) for token in token_file(settings_of(ctx)).tokens()]
    if told_as_json(ctx):
        show_json(shown)
        return
    names = ("id", "name", "tenant", "scopes", "created_at", "expires_at", "state")
    show_table(names, ([_cell(fields[name]) for name in names] for fields in shown))


@command.command()
@click.argument("token_id", metavar="ID")
@common
@click.pass_context
def revoke(ctx: click.Context, token_id: str) -> None:
    """End the token ID at once. Running services refuse it within a second."""
    at = now()
    token = _asked(lambda: token_file(settings_of(ctx)).revoke(token_id, at))
    if told_as_json(ctx):
        show_json(_shown(token, at))
    else:
        show_lines([f"revoked at {format_instant(token.revoked_at or at)}"])


@command.command()
@click.argument("token_id", metavar="ID")
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, OVERLAP_HOURS_MAX),
    default=24,
    show_default=True,
    help="For how long the old one is good beside the new one.",
)
@click.option("--days", type=_days, help="After how many days the new one ends (default: as the old one).")
@common
@click.pass_context
def rotate(ctx: click.Context, token_id: str, overlap_hours: int, days: int | None) -> None:
    """Create a token in the place of the token ID, for the same name, tenant and scopes, and print it."""
    at, fresh_id = now(), new_id()
    tokens = token_file(settings_of(ctx))
    text = _asked(
        lambda: tokens.rotate(
            token_id,
            new_id=fresh_id,
            now=at,
            overlap=overlap_hours * HOUR,
            expires_at=None if days is None else at + days * DAY,
        )
    )
    _tell_new(ctx, tokens, fresh_id, text, at)


@command.command()
@click.option(
    "--ended-days",
    type=click.IntRange(0, DAYS_MAX),
    default=365,
    show_default=True,
    help="Those that ended longer ago than this.",
)
@common
@click.pass_context
def prune(ctx: click.Context, ended_days: int) -> None:
    """Forget the tokens that ended long ago, to make room. Nobody can tell any more whose they were."""
    pruned = _asked(lambda: token_file(settings_of(ctx)).prune(now() - ended_days * DAY))
    if told_as_json(ctx):
        show_json({"pruned": pruned})
    else:
        show_lines([f"{pruned} tokens forgotten"])


def _asked(work: Callable[[], _T]) -> _T:
    """Do something with tokens; what is refused ends the command as refused."""
    try:
        return work()
    except InvalidEvent as fault:
        raise refused(fault.field, fault.message) from None
    except TokenRefused as fault:
        raise Failure(ExitCode.REFUSED, str(fault)) from None


def _tell_new(ctx: click.Context, tokens: TokenFile, token_id: str, text: str, at: Micros) -> None:
    """Print a token that was just made, alone on its line, so that a script can take it as it is."""
    if told_as_json(ctx):
        (made,) = (token for token in tokens.tokens() if token.id == token_id)
        show_json({**_shown(made, at), "token": text})
    else:
        show_lines([text])


def _shown(token: Token, at: Micros) -> dict[str, object]:
    """What may be shown of a token: not even its digest."""
    revoked_at = token.revoked_at
    return {
        "id": token.id,
        "name": token.name,
        "tenant": token.tenant,
        "scopes": token.scopes,
        "created_at": format_instant(token.created_at),
        "expires_at": format_instant(token.expires_at),
        "revoked_at": None if revoked_at is None else format_instant(revoked_at),
        "replaces": token.replaces,
        "state": token.state(at),
    }


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
