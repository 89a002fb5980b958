"""``check``: is a use permitted? One question, or a file of them."""

import sys
from pathlib import Path
from typing import Any

import rich_click as click

from choice_ledger.asking import decision_lines
from choice_ledger.cli.faults import FaultTeller
from choice_ledger.cli.files import opened_file
from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_lines
from choice_ledger.cli.questions import QuestionOptions, answered, question_options
from choice_ledger.cli.session import opened_to_read, read_model
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.reading_lines import line_batches
from events.instants import format_instant
from projections.decision import Decision
from projections.question_lines import QUESTION_BYTES_MAX, format_decision


@click.command()
@click.argument("individual", required=False)
@click.argument("purpose", required=False)
@question_options
@click.option(
    "--questions",
    type=click.Path(allow_dash=True, path_type=Path),
    help="Answer a file of questions, one a line (- for standard input): one decision a line.",
)
@click.option("--exit-code", is_flag=True, help="End with 3 where the use is denied.")
@common
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    individual: str | None,
    purpose: str | None,
    questions: Path | None,
    exit_code: bool,
    **options: Any,  # noqa: ANN401 - those of QuestionOptions, which checks them
) -> None:
    """Answer whether INDIVIDUAL's data may be used for PURPOSE, and why.

    Without --recipient the question is of the controller's own use. Without --at it is of now.
    """
    if questions is not None:
        if individual is not None:
            raise Failure(ExitCode.USAGE, "give one question or --questions, not both")
        _answer_file(ctx, questions)
        return
    if individual is None or purpose is None:
        raise Failure(ExitCode.USAGE, "give INDIVIDUAL and PURPOSE, or --questions FILE")
    with opened_to_read(ctx) as ledger:
        decision = answered(ledger, individual, purpose, QuestionOptions(**options)).decision
    if told_as_json(ctx):
        sys.stdout.write(format_decision(decision).decode() + "\n")
    else:
        show_lines(_lines(decision))
    if exit_code and not decision.permitted:
        ctx.exit(ExitCode.DENIED)


def _lines(decision: Decision) -> list[str]:
    policy = decision.policy
    lines = [f"{'permitted' if decision.permitted else 'denied'}: {decision.reason}"]
    if policy is not None:
        lines.append(f"  policy    {policy.id}, version {policy.version}")
    lines += [f"  evidence  {event_id}" for event_id in decision.evidence]
    if decision.overrides:
        lines.append(f"  overrides {', '.join(decision.overrides)}")
    if decision.objection is not None:
        lines.append(f"  objection {decision.objection}")
    lines.append(f"  until     {'-' if decision.until is None else format_instant(decision.until)}")
    return lines


def _answer_file(ctx: click.Context, questions: Path) -> None:
    """Nothing but decisions goes to standard output; a bad question is told on standard error."""
    faults = FaultTeller(str(questions))
    with opened_file(questions) as file, opened_to_read(ctx) as ledger:
        batches = line_batches(file, QUESTION_BYTES_MAX)
        out = sys.stdout.buffer
        for decisions in decision_lines(read_model(ledger), batches, ledger.settings.tenant, faults.tell):
            out.write(b"".join(decision + b"\n" for decision in decisions))
            out.flush()
    if faults.count:
        raise Failure(ExitCode.REFUSED, f"{faults.count} questions were refused; the others are answered")
