"""``why``: a decision in plain sentences."""

from typing import Any

import msgspec
import rich_click as click

from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, show_lines
from choice_ledger.cli.questions import QuestionOptions, answered, question_options
from choice_ledger.cli.session import opened_to_read
from choice_ledger.evidence import events_named
from choice_ledger.explaining import explain
from choice_ledger.languages import LANGUAGES, Language, speech
from projections.question_lines import format_decision


@click.command()
@click.argument("individual")
@click.argument("purpose")
@question_options
@click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    default=LANGUAGES[0],
    show_default=True,
    help="In which language.",
)
@common
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    individual: str,
    purpose: str,
    language: Language,
    **options: Any,  # noqa: ANN401 - those of QuestionOptions, which checks them
) -> None:
    """Explain whether INDIVIDUAL's data may be used for PURPOSE: why, on which events, until when.

    It answers the same question as `check`.
    """
    with opened_to_read(ctx) as ledger:
        answer = answered(ledger, individual, purpose, QuestionOptions(**options))
        by = speech(language)
        explanation = explain(answer.question, answer.decision, events_named(ledger, answer), by)
    if told_as_json(ctx):
        decision = msgspec.Raw(format_decision(answer.decision))
        show_json({"decision": decision, "explanation": explanation})
    else:
        show_lines(explanation.lines(by))
