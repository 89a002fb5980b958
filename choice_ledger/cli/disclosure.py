"""``disclosure``: what the law compels, and what was disclosed on the strength of which answer."""

import rich_click as click

from choice_ledger.cli.instants import INSTANT
from choice_ledger.cli.questions import QuestionOptions, answered
from choice_ledger.cli.recording_options import heard, recording, since, tell_receipt
from choice_ledger.cli.session import opened
from choice_ledger.disclosing import Disclosed, UseDenied, relying
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.recording import record as record_command
from events.instants import Micros
from ledger.commands import CompelDisclosure


@click.group()
def command() -> None:
    """Record disclosures, and those that the law compels."""


@command.command()
@click.argument("individual")
@click.argument("recipient")
@click.option("--legal-reference", required=True, metavar="TEXT", help="Where the law says so.")
@click.option(
    "--purpose", "purposes", multiple=True, metavar="SELECTOR", help="Only for this (default: all)."
)
@click.option("--data", multiple=True, metavar="CATEGORY", help="Only this data (default: all).")
@click.option("--from", "from_", type=INSTANT, help="From when (default: now).")
@click.option("--to", type=INSTANT, help="Until when (default: without end).")
@recording()
@click.pass_context
def compel(
    ctx: click.Context,
    *,
    individual: str,
    recipient: str,
    legal_reference: str,
    purposes: tuple[str, ...],
    data: tuple[str, ...],
    from_: Micros | None,
    to: Micros | None,
) -> None:
    """Record that the law compels the disclosure of INDIVIDUAL's data to RECIPIENT."""
    with opened(ctx) as ledger:
        how = heard(ctx, ledger)
        held = ledger.find_of_individual(f"{how.tenant}/{individual}", how.event_id)
        compelled = CompelDisclosure(
            individual=individual,
            recipient=recipient,
            legal_reference=legal_reference,
            purposes=purposes or None,
            data=data or None,
            from_=since(held, ledger.clock()) if from_ is None else from_,
            to=to,
        )
        tell_receipt(ctx, record_command(ledger, compelled, how))


@command.command()
@click.argument("individual")
@click.argument("recipient")
@click.argument("purpose")
@click.option("--data", multiple=True, metavar="CATEGORY", help="What was disclosed (default: all declared).")
@click.option("--at", type=INSTANT, help="When it was disclosed (default: now).")
@click.option("--although-denied", is_flag=True, help="It happened, though it was not permitted.")
@recording(actor="service")
@click.pass_context
def record(
    ctx: click.Context,
    *,
    individual: str,
    recipient: str,
    purpose: str,
    data: tuple[str, ...],
    at: Micros | None,
    although_denied: bool,
) -> None:
    """Record that INDIVIDUAL's data went to RECIPIENT for PURPOSE, and the answer that this relied on.

    A disclosure that is not permitted is refused, with exit code 3, unless it has happened.
    """
    options = QuestionOptions(recipient=recipient, data=data, at=at)
    disclosed = Disclosed(
        individual=individual,
        recipient=recipient,
        purpose=purpose,
        data=data,
        at=at,
        although_denied=although_denied,
    )
    with opened(ctx) as ledger:
        how = heard(ctx, ledger)
        relied = relying(ledger, disclosed, how, lambda: answered(ledger, individual, purpose, options))
        if isinstance(relied, UseDenied):
            message = f"denied: {relied.reason}; nothing is recorded. `why` explains it"
            raise Failure(ExitCode.DENIED, message)
        tell_receipt(ctx, record_command(ledger, relied, how))
