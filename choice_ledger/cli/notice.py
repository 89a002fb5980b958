"""``notice``: record that somebody was told of a policy's version, and whether it arrived."""

import rich_click as click

from choice_ledger.cli.recording_options import heard, record_and_tell, recording, tell_receipt
from choice_ledger.cli.session import opened
from choice_ledger.recording import record as record_command
from events.individual_events import DeliveryOutcome
from ledger.commands import RecordNotice, RecordNoticeOutcome


@click.group()
def command() -> None:
    """Record notices, and whether they arrived."""


@command.command()
@click.argument("individual")
@click.option("--policy", "policy_id", required=True, metavar="ID", help="The policy.")
@click.option("--version", "version", type=int, required=True, help="The version of it.")
@click.option("--notice-id", metavar="ID", help="Your own name for this notice (default: the event's id).")
@click.option(
    "--purpose",
    "purposes",
    multiple=True,
    metavar="KEY",
    help="A purpose that it told of (default: the whole version).",
)
@click.option("--choice-offered", is_flag=True, help="It offered a choice.")
@click.option(
    "--at-collection", is_flag=True, help="It was shown in the interaction in which the data was given."
)
@click.option("--locale", metavar="LOCALE", help="The language of the wording that was shown.")
@click.option("--wording-sha256", metavar="DIGEST", help="The digest of the wording that was shown.")
@recording()
@click.pass_context
def record(
    ctx: click.Context,
    *,
    individual: str,
    policy_id: str,
    version: int,
    notice_id: str | None,
    purposes: tuple[str, ...],
    choice_offered: bool,
    at_collection: bool,
    locale: str | None,
    wording_sha256: str | None,
) -> None:
    """Record that INDIVIDUAL was told of a version of a policy."""
    with opened(ctx) as ledger:
        how = heard(ctx, ledger)
        notice = RecordNotice(
            individual=individual,
            notice_id=notice_id or how.event_id,
            policy_id=policy_id,
            version=version,
            purposes=purposes or None,
            choice_offered=choice_offered,
            at_collection=at_collection,
            locale=locale,
            wording_sha256=wording_sha256,
        )
        tell_receipt(ctx, record_command(ledger, notice, how))


@command.command()
@click.argument("individual")
@click.argument("notice_id")
@click.argument("outcome", type=click.Choice(["delivered", "failed"]))
@click.option("--detail", default="", metavar="CODE", help="A status code (RFC 3463) such as 5.1.1.")
@recording()
@click.pass_context
def outcome(
    ctx: click.Context, individual: str, notice_id: str, outcome: DeliveryOutcome, detail: str
) -> None:
    """Record whether the notice NOTICE_ID to INDIVIDUAL was delivered or failed."""
    told = RecordNoticeOutcome(individual=individual, notice_id=notice_id, outcome=outcome, detail=detail)
    record_and_tell(ctx, told)
