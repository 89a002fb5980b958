"""``digest``: one number that two states have in common if they are the same."""

import rich_click as click

from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json
from choice_ledger.cli.session import opened_to_read
from choice_ledger.exits import ExitCode, Failure
from projections.digest import state_digest


@click.command()
@click.option("--expect", metavar="SHA256", help="End with 6 where the digest is another.")
@common
@click.pass_context
def command(ctx: click.Context, *, expect: str | None) -> None:
    """Print the digest of the state: the same for the same events, on any log, store and machine."""
    with opened_to_read(ctx) as ledger:
        digest = state_digest(ledger.store)
        position = ledger.folding.position.encode()
    if told_as_json(ctx):
        show_json({"digest": digest, "position": position})
    else:
        click.echo(digest)
    if expect is not None and expect != digest:
        raise Failure(ExitCode.MISMATCH, "it is another digest; see `rebuild --digest-only`")
