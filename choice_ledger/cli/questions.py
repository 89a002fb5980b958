"""One question on the command line: its options, and its answer at a stated freshness."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import rich_click as click

from choice_ledger.cli.instants import INSTANT
from choice_ledger.cli.session import read_model
from choice_ledger.exits import refused
from choice_ledger.ledger_at_hand import LedgerAtHand
from events.instants import Micros
from events.streams import InvalidPosition, Position
from projections.decision import OutsideDenial, outside
from projections.projector import Projector
from projections.question_lines import Asked, InvalidQuestion, checked
from projections.reader import Answer

Callback = TypeVar("Callback", bound=Callable[..., Any])


class QuestionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a question may say besides whom and what for."""

    recipient: str | None = None
    data: tuple[str, ...] = ()
    at: Micros | None = None
    known_at: Micros | None = None
    after: str | None = None


def question_options(callback: Callback) -> Callback:
    """Give a command the options of a question."""
    for decorate in reversed(
        (
            click.option("--recipient", metavar="NAME", help="To whom (default: own use)."),
            click.option("--data", multiple=True, metavar="CATEGORY", help="Which (default: all declared)."),
            click.option("--at", type=INSTANT, help="When the use would happen (default: now)."),
            click.option("--known-at", type=INSTANT, help="On what was recorded by then (default: all)."),
            click.option("--after", metavar="POSITION", help="Answer at least as fresh as this receipt."),
        )
    ):
        callback = decorate(callback)
    return callback


def answered(ledger: LedgerAtHand, individual: str, purpose: str, options: QuestionOptions) -> Answer:
    """The answer to one question. Raises Failure where the question is refused."""
    asked = Asked(individual=individual, purpose=purpose, recipient=options.recipient, data=options.data)
    try:
        enquiry = checked(asked, ledger.settings.tenant, at=options.at, known_at=options.known_at)
    except InvalidQuestion as fault:
        raise refused(fault.field, fault.message) from None
    denied = None if options.after is None else _not_after(ledger, options.after)
    answer = read_model(ledger).answer(enquiry)
    return answer if denied is None else answer._replace(decision=outside(denied))


def _not_after(ledger: LedgerAtHand, text: str) -> OutsideDenial | None:
    """Why the answer cannot be told as fresh as a position asks; none where it is.

    ``architecture.md``: a caller that passes its receipt's position "gets an answer at least as fresh, or
    `stale` (denied) within its own deadline".
    """
    try:
        position = Position.decode(text)
    except InvalidPosition as fault:
        raise refused("after", str(fault)) from None
    if position.generation != ledger.source.generation:
        return "wrong_generation"
    deadline = ledger.clock() + ledger.settings.freshness_ms_max * 1_000
    projector = Projector(ledger.source, ledger.store)
    while not projector.position.covers(position):
        left_ms = (deadline - ledger.clock()) // 1_000
        if left_ms <= 0:
            return "stale"
        projector.step(wait_ms=left_ms)
    return None
