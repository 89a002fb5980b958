"""What every command that records an event takes, and how it tells the receipt."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, get_args

import rich_click as click

from choice_ledger.cli.instants import INSTANT
from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, show_lines
from choice_ledger.cli.session import opened
from choice_ledger.exits import refused
from choice_ledger.ledger_at_hand import LedgerAtHand
from choice_ledger.recording import Receipt, record
from events.envelope import Actor, ActorKind, InvalidEvent, Medium
from events.individual_events import DisclosureCompelled
from events.instants import Micros, format_instant
from events.policy_events import FrameworkStatusChanged
from events.union import Recorded
from ledger.commands import Command, Heard

HEARD: Final = "choice_ledger.heard"
"""Where a context keeps the options that say how a command was heard."""

Callback = TypeVar("Callback", bound=Callable[..., Any])


def recording(*, actor: ActorKind = "officer") -> Callable[[Callback], Callback]:
    """Give a command the settings' flags, ``--json``, and what every event has; ``actor`` is the default."""

    def decorate(callback: Callback) -> Callback:
        for option in reversed(_options(actor)):
            callback = option(callback)
        return common(callback)

    return decorate


def record_and_tell(ctx: click.Context, command: Command) -> None:
    """Record what a command asks for, and print the receipt."""
    with opened(ctx) as ledger:
        tell_receipt(ctx, record(ledger, command, heard(ctx, ledger)))


def heard(ctx: click.Context, ledger: LedgerAtHand, tenant: str | None = None) -> Heard:
    """How the command was heard, from its options; ``tenant`` none is the settings'. Raises Failure."""
    options: dict[str, Any] = ctx.meta.get(HEARD, {})
    return Heard(
        event_id=options.get("event_id") or ledger.new_id(),
        tenant=tenant or ledger.settings.tenant,
        actor=_actor(str(options["actor"])),
        medium=options["medium"],
        occurred_at=options.get("occurred_at"),
        caused_by=options.get("caused_by"),
    )


def since(held: Recorded | None, now: Micros) -> Micros:
    """From when on an event says something, where that is not given: now.

    Where the command is a repetition (``held``), it is the instant that was now the first time.
    """
    event = None if held is None else held.event
    return event.from_ if isinstance(event, FrameworkStatusChanged | DisclosureCompelled) else now


def tell_receipt(ctx: click.Context, receipt: Receipt) -> None:
    """Print the receipt of what was recorded."""
    if told_as_json(ctx):
        show_json(
            {
                "event_id": receipt.event_id,
                "type": receipt.type,
                "recorded_at": format_instant(receipt.recorded_at),
                "position": receipt.position.encode(),
                "repeated": receipt.repeated,
                "void": receipt.void,
                "derived": receipt.derived,
            }
        )
    else:
        show_lines(_receipt_lines(receipt))


def _receipt_lines(receipt: Receipt) -> list[str]:
    done = "was recorded already" if receipt.repeated else "recorded"
    lines = [
        f"{receipt.type} {done} at {format_instant(receipt.recorded_at)}",
        f"  event id  {receipt.event_id}",
        f"  position  {receipt.position.encode()}",
    ]
    if receipt.void is not None:
        lines.append(f"  void      {receipt.void}: it claims nothing, now and for ever")
    lines += [f"  and the opt-out {event_id} for a linked individual" for event_id in receipt.derived]
    return lines


def _actor(text: str) -> Actor:
    kind, _, id_ = text.partition(":")
    known = next((known for known in get_args(ActorKind) if known == kind), None)
    if known is None:
        raise refused(
            "actor", f"must be one of {', '.join(get_args(ActorKind))}, with an id after a colon, if any"
        )
    try:
        return Actor(kind=known, id=id_ or None)
    except InvalidEvent as fault:
        raise refused(fault.field, fault.message) from None


def _options(actor: ActorKind) -> tuple[Callable[[Any], Any], ...]:
    return (
        _kept(
            "--event-id",
            metavar="UUID",
            help="The event's id: one id and content is one event, however often sent.",
        ),
        _kept(
            "--actor",
            metavar="KIND[:ID]",
            default=actor,
            show_default=True,
            help=f"Who spoke ({', '.join(get_args(ActorKind))}), with a pseudonymous id, if any.",
        ),
        _kept(
            "--medium",
            type=click.Choice(get_args(Medium)),
            default="api",
            show_default=True,
            help="By which way.",
        ),
        _kept(
            "--occurred-at",
            type=INSTANT,
            help="When it happened, if earlier than now: an officer's entry, or by email, mail or verbal.",
        ),
        _kept("--caused-by", metavar="UUID", help="The event that this one follows from."),
    )


def _kept(name: str, **options: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - click's own options
    return click.option(name, expose_value=False, callback=_keep, **options)


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if value is not None:
        ctx.meta.setdefault(HEARD, {})[param.name] = value
