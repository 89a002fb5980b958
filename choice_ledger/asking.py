"""Asking a file of questions: one decision a line, in flat memory, answered as they come."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from choice_ledger.importing import LineFault
from choice_ledger.reading_lines import NumberedLine
from projections.question_lines import InvalidQuestion, format_decision, parse_question
from projections.reader import Enquiry, ReadModel

ANSWERED_AT_ONCE: Final = 1_000
"""Questions answered from one moment of the state, and so held in memory."""


def decision_lines(
    read_model: ReadModel,
    batches: Iterable[Sequence[NumberedLine]],
    tenant: str,
    tell_fault: Callable[[LineFault], None],
) -> Iterator[list[bytes]]:
    """The decisions of the good questions, in order, each a line of JSON without its end.

    What has come is answered before more is read, so that a program may wait for each answer. What is wrong
    with the other lines is told with their numbers.
    """
    for lines in batches:
        for start in range(0, len(lines), ANSWERED_AT_ONCE):
            enquiries = list(_enquiries(lines[start : start + ANSWERED_AT_ONCE], tenant, tell_fault))
            answers = read_model.answer_many(enquiries) if enquiries else []
            yield [format_decision(answer.decision) for answer in answers]


def _enquiries(
    lines: Sequence[NumberedLine], tenant: str, tell_fault: Callable[[LineFault], None]
) -> Iterator[Enquiry]:
    for line in lines:
        try:
            yield parse_question(line.content, tenant)
        except InvalidQuestion as fault:
            tell_fault(LineFault(line.number, fault.field, fault.message))
