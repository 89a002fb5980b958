"""``why``: a decision in plain sentences."""

from typing import Any

import msgspec
import rich_click as click

from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, show_lines
from choice_ledger.cli.questions import QuestionOptions, answered, question_options
from choice_ledger.cli.session import opened_to_read
from choice_ledger.explaining import explain
from choice_ledger.ledger_at_hand import LedgerAtHand
from events.union import Recorded
from projections.question_lines import format_decision
from projections.reader import Answer


@click.command()
@click.argument("individual")
@click.argument("purpose")
@question_options
@common
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    individual: str,
    purpose: str,
    **options: Any,  # noqa: ANN401 - those of QuestionOptions, which checks them
) -> None:
    """Explain whether INDIVIDUAL's data may be used for PURPOSE: why, on which events, until when.

    It answers the same question as `check`.
    """
    with opened_to_read(ctx) as ledger:
        answer = answered(ledger, individual, purpose, QuestionOptions(**options))
        explanation = explain(answer.question, answer.decision, _events(ledger, answer))
    if told_as_json(ctx):
        decision = msgspec.Raw(format_decision(answer.decision))
        show_json({"decision": decision, "explanation": explanation})
    else:
        show_lines(explanation.lines())


def _events(ledger: LedgerAtHand, answer: Answer) -> dict[str, Recorded]:
    """The events that the decision names, of the individual and of the tenant's policies."""
    named = {*answer.decision.evidence, answer.decision.objection}
    found = {r.event.event_id: r for r in ledger.history(answer.question.key) if r.event.event_id in named}
    for recorded in ledger.policy_events():
        if recorded.event.event_id in named and recorded.event.tenant == answer.question.tenant:
            found.setdefault(recorded.event.event_id, recorded)
    return found
