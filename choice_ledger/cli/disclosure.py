"""``disclosure``: what the law compels, and what was disclosed on the strength of which answer."""

import rich_click as click

from choice_ledger.cli.instants import INSTANT
from choice_ledger.cli.recording_options import heard, record_and_tell, recording, tell_receipt
from choice_ledger.cli.session import opened, read_model
from choice_ledger.exits import ExitCode, Failure, refused
from choice_ledger.recording import record as record_command
from events.instants import Micros
from events.record_events import ReliedDecision
from ledger.commands import CompelDisclosure, RecordDisclosure
from projections.question_lines import Asked, InvalidQuestion, checked
from projections.reader import Answer


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
@click.option("--from", "from_", type=INSTANT, help="From when (default: always).")
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
    compelled = CompelDisclosure(
        individual=individual,
        recipient=recipient,
        legal_reference=legal_reference,
        purposes=purposes or None,
        data=data or None,
        from_=from_,
        to=to,
    )
    record_and_tell(ctx, compelled)


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
    with opened(ctx) as ledger:
        asked = Asked(individual=individual, purpose=purpose, recipient=recipient, data=data)
        try:
            enquiry = checked(asked, ledger.settings.tenant, at=at)
        except InvalidQuestion as fault:
            raise refused(fault.field, fault.message) from None
        answer = read_model(ledger).answer(enquiry)
        if not answer.decision.permitted and not although_denied:
            reason = answer.decision.reason
            raise Failure(ExitCode.DENIED, f"denied: {reason}; nothing is recorded. `why` explains it")
        disclosed = RecordDisclosure(
            individual=individual,
            recipient=recipient,
            purpose=purpose,
            data=data,
            at=answer.question.at,
            decision=_relied(answer),
        )
        tell_receipt(ctx, record_command(ledger, disclosed, heard(ctx, ledger)))


def _relied(answer: Answer) -> ReliedDecision:
    position = "" if answer.position is None else answer.position.encode()
    return ReliedDecision(reason=answer.decision.reason, position=position, evidence=answer.decision.evidence)
