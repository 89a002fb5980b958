"""``individual``: where somebody belongs, whom they are linked to, and their erasure."""

import rich_click as click

from choice_ledger.cli.recording_options import heard, record_and_tell, recording, tell_receipt
from choice_ledger.cli.session import opened
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.recording import record_both
from ledger.commands import DescribeIndividual, EraseIndividual, LinkIndividuals, UnlinkIndividuals


@click.group()
def command() -> None:
    """Describe, link, unlink and erase individuals."""


@command.command()
@click.argument("individual")
@click.option("--jurisdiction", metavar="NAME", help="Whose law holds for them.")
@click.option(
    "--population", "populations", multiple=True, metavar="NAME", help="A population to which they belong."
)
@click.option("--no-populations", is_flag=True, help="They belong to none.")
@click.option("--locale", metavar="LOCALE", help="Their language.")
@recording()
@click.pass_context
def describe(
    ctx: click.Context,
    *,
    individual: str,
    jurisdiction: str | None,
    populations: tuple[str, ...],
    no_populations: bool,
    locale: str | None,
) -> None:
    """Say where INDIVIDUAL belongs. What is left out stays as it was said before."""
    if populations and no_populations:
        raise Failure(ExitCode.USAGE, "give --population or --no-populations, not both")
    if jurisdiction is None and locale is None and not populations and not no_populations:
        raise Failure(ExitCode.USAGE, "give --jurisdiction, --population, --no-populations or --locale")
    named = () if no_populations else populations or None
    described = DescribeIndividual(
        individual=individual, jurisdiction=jurisdiction, populations=named, locale=locale
    )
    record_and_tell(ctx, described)


@command.command()
@click.argument("individual")
@click.argument("other")
@recording()
@click.pass_context
def link(ctx: click.Context, individual: str, other: str) -> None:
    """Say that INDIVIDUAL and OTHER are one person: opt-outs of either hold for both from now on."""
    with opened(ctx) as ledger:
        there = LinkIndividuals(individual, other), LinkIndividuals(other, individual)
        tell_receipt(ctx, record_both(ledger, there, heard(ctx, ledger)))


@command.command()
@click.argument("individual")
@click.argument("other")
@recording()
@click.pass_context
def unlink(ctx: click.Context, individual: str, other: str) -> None:
    """Say that INDIVIDUAL and OTHER no longer count as one: later opt-outs stay where they are made."""
    with opened(ctx) as ledger:
        there = UnlinkIndividuals(individual, other), UnlinkIndividuals(other, individual)
        tell_receipt(ctx, record_both(ledger, there, heard(ctx, ledger)))


@command.command()
@click.argument("individual")
@click.option("--reason", default="", metavar="TEXT", help="Why, without personal data.")
@click.option("--yes", is_flag=True, help="Do not ask: an erasure is final.")
@recording()
@click.pass_context
def erase(ctx: click.Context, individual: str, reason: str, yes: bool) -> None:
    """Erase INDIVIDUAL, finally: whoever returns is a new individual."""
    if not yes:
        click.confirm("An erasure is final. Erase this individual?", abort=True, err=True)
    record_and_tell(ctx, EraseIndividual(individual, reason))
