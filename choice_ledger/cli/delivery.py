"""``delivery``: which notice is to be sent to whom, and what came of each attempt."""

import rich_click as click

from choice_ledger.cli.recording_options import heard, record_and_tell, recording, tell_receipt
from choice_ledger.cli.session import opened
from choice_ledger.recording import record
from events.record_events import AttemptResult, Channel
from ledger.record_commands import PlanDelivery, ReportDelivery

_CHANNEL = click.option(
    "--channel", type=click.Choice(["email", "web", "webhook", "paper"]), required=True, help="By which way."
)
_POLICY = click.option("--policy", "policy_id", required=True, metavar="ID", help="The policy.")
_VERSION = click.option("--version", type=int, required=True, help="The version of it.")


@click.group()
def command() -> None:
    """Record which notices are to be sent, and what came of it."""


@command.command()
@click.argument("individual")
@click.option("--intent-id", metavar="UUID", help="The id of this delivery (default: the event's id).")
@_POLICY
@_VERSION
@_CHANNEL
@recording(actor="service")
@click.pass_context
def plan(
    ctx: click.Context,
    *,
    individual: str,
    intent_id: str | None,
    policy_id: str,
    version: int,
    channel: Channel,
) -> None:
    """Record that INDIVIDUAL is to be sent a notice of a version of a policy."""
    with opened(ctx) as ledger:
        how = heard(ctx, ledger)
        planned = PlanDelivery(
            individual=individual,
            intent_id=intent_id or how.event_id,
            policy_id=policy_id,
            version=version,
            channel=channel,
        )
        tell_receipt(ctx, record(ledger, planned, how))


@command.command()
@click.argument("individual")
@click.argument("intent_id")
@click.argument(
    "result", type=click.Choice(["sent", "delivered", "superseded", "suppressed", "ambiguous", "failed"])
)
@_POLICY
@_VERSION
@_CHANNEL
@recording(actor="service")
@click.pass_context
def attempt(
    ctx: click.Context,
    *,
    individual: str,
    intent_id: str,
    result: AttemptResult,
    policy_id: str,
    version: int,
    channel: Channel,
) -> None:
    """Record what came of one attempt at the delivery INTENT_ID to INDIVIDUAL."""
    attempted = ReportDelivery(
        individual=individual,
        intent_id=intent_id,
        policy_id=policy_id,
        version=version,
        channel=channel,
        result=result,
    )
    record_and_tell(ctx, attempted)
