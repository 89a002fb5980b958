"""The port ``EventLog``: where events are appended, and what each append came to.

Source: ``architecture.md``, *The log*. Reading is a port of the projections' side (``EventSource``); an
adapter of a log satisfies both.
"""

from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

from events.instants import SECOND, Micros
from events.streams import Position
from events.union import Event

BATCH_EVENTS_MAX: Final = 10_000
"""Events of one append. A longer sequence is the caller's to cut."""

APPEND_DEADLINE: Final[Micros] = 30 * SECOND
"""``architecture.md``: an event not acknowledged in 30 s ends *unknown*."""


class Proposal(msgspec.Struct, frozen=True):
    """An event to append. ``recorded_at`` is set by an import of a ledger's own file alone.

    ``heard_now`` says that the event happens as the ledger takes it: the ledger hears the individual itself.
    """

    event: Event
    recorded_at: Micros | None = None
    heard_now: bool = False


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """The event is durable. ``position`` includes it; ``repeated`` says it was there already."""

    event_id: str
    recorded_at: Micros
    position: Position
    repeated: bool = False


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """The event is not in the log and never will be by this append. ``field`` names what was wrong."""

    event_id: str
    reason: str
    field: str
    message: str


class Unknown(msgspec.Struct, frozen=True):
    """The event may be in the log or not. The same event id may be sent again."""

    event_id: str
    message: str


Outcome: TypeAlias = Acknowledged | Rejected | Unknown
"""How an append of one event ended."""


class LogFault(Exception):
    """The log cannot be used as it stands; the message says what to do next."""


class EventLog(Protocol):
    """Where events become durable.

    1. ``append`` must answer one outcome for each proposal, in order, and never raise for what one event
       did: an event that cannot be stored is ``Rejected``, the others go on.
    2. ``Acknowledged`` must be told only when the event survives whatever the adapter promises to survive
       (embedded: process kill, system crash, power cut; Kafka: any one of three brokers).
    3. ``Rejected`` must be told only when the event is not, and will not be, in the log by this append
       (reasons: ``too_large``, ``id_conflict``, ``clock``, ``occurred_after_recorded``, ``invalid_time``,
       ``overloaded``, ``storage``; the last two may pass: the same event may be sent again).
    4. Whatever is neither must be ``Unknown``, within ``APPEND_DEADLINE`` and a few seconds.
    5. Events of one key must stand in the log in the order of the proposals that carried them, and those of
       successive appends by one caller in the order of the calls.
    6. ``recorded_at`` must be ``max(clock, last + 1 µs)`` of this writer, unless the proposal sets it; it is
       never before ``occurred_at``.
    7. A repeated event id (same key, same content) must be answered as ``Acknowledged`` and, where
       ``deduplicates`` is true, add nothing and tell the position and time of the first.
    8. A repeated event id with other content must be ``Rejected`` (``id_conflict``) where ``deduplicates``
       is true. Elsewhere the fold has the last word: the first in log order stands.
    9. Keys must be told apart byte by byte: ``Ana`` is not ``ana``, and ``é`` is not its decomposed form.
    10. ``append`` must be safe to call from many threads, and from many processes on one log.
    11. A new log must begin with exactly one ``LedgerBegun``, whose generation every position bears.
    12. An event that was ``heard_now`` must be stored as ``ledger.dating.dated`` says, its two times equal,
        and a repetition of it must be known for the same event whatever ``occurred_at`` it bears.
    13. ``append`` of more than ``BATCH_EVENTS_MAX`` proposals must raise ``LogFault`` and append nothing.
    """

    @property
    def deduplicates(self) -> bool:
        """Whether a repeated event id never adds a second event to this log."""
        ...

    @property
    def generation(self) -> str:
        """The random id of this ledger, from its first event."""
        ...

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        """Append events; answer when each is durable, refused, or past the deadline."""
        ...

    def close(self) -> None:
        """Give back what the log holds. Appends under way end first."""
        ...
