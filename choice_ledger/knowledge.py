"""What a ledger knows, and since when: whether an import would rewrite it.

Source: ``events.md``, *Lines*: "Into a ledger that already holds events recorded by itself it keeps
`recorded_at` only with `--rewrite-knowledge`, recorded as a `SafeguardWaived`."
"""

from collections.abc import Sequence
from typing import Final

from choice_ledger.importing import Answer, Held
from choice_ledger.ledger_at_hand import LedgerAtHand
from choice_ledger.recording import record
from choice_ledger.slice_reading import slice_records
from events.codec import UndecodableRecord, decode
from events.envelope import LEDGER_TENANT, Actor
from events.instants import Micros
from events.lines import Line
from events.policy_events import SafeguardWaived
from events.streams import POLICIES
from events.union import POLICY_EVENT_TYPES, Event
from ledger.commands import Heard, WaiveSafeguard
from projections.ports import EventSource

REWRITTEN: Final = "recorded_at of imported events kept beside events that this ledger recorded itself"
"""What is waived by ``--rewrite-knowledge``."""

_REFUSAL: Final = (
    "recorded_at",
    (
        "must be left out: this ledger holds events that it recorded itself, and this would change what it "
        "knew; import into a new ledger, or give --rewrite-knowledge, which is put on record"
    ),
)
_CONFLICT: Final = ("event_id", "names another event already; give this one an id of its own")


def holds_its_own(source: EventSource) -> bool:
    """Whether the log holds an event that this ledger recorded itself, its beginning and waivers aside.

    What was imported into it bears a ``recorded_at`` from before it began.
    """
    begun_at: Micros | None = None
    for slice_ in sorted(source.end().as_dict(), key=lambda s: s.stream != POLICIES):
        for record_ in slice_records(source, slice_):
            try:
                recorded = decode(record_.value)
            except UndecodableRecord:
                continue
            if begun_at is None:
                begun_at = recorded.recorded_at  # The first record of a ledger is its beginning.
            elif recorded.recorded_at >= begun_at and not isinstance(recorded.event, SafeguardWaived):
                return True
    return False


def waive_knowledge(ledger: LedgerAtHand, why: str) -> None:
    """Put on record that an import rewrites what this ledger knew."""
    heard = Heard(event_id=ledger.new_id(), tenant=LEDGER_TENANT, actor=Actor(kind="officer"))
    record(ledger, WaiveSafeguard(REWRITTEN, why), heard)


def held_by(ledger: LedgerAtHand, *, refuse_recorded_at: bool) -> Held:
    """What is held already by an open ledger, as far as it is folded; ``Held`` says what it answers."""

    def held(lines: Sequence[Line]) -> list[Answer]:
        known = _known(ledger, [line.event for line in lines])
        histories: dict[str, dict[str, Event]] = {}
        answers: list[Answer] = []
        for line in lines:
            event = line.event
            if (event.key, event.event_id) in known:
                answers.append("held" if _stored(ledger, event, histories) == event else _CONFLICT)
            else:
                refused = refuse_recorded_at and line.recorded_at is not None
                answers.append(_REFUSAL if refused else None)
        return answers

    return held


def _known(ledger: LedgerAtHand, events: Sequence[Event]) -> set[tuple[str, str]]:
    of_policies = [event for event in events if type(event) in POLICY_EVENT_TYPES]
    of_individuals = [event for event in events if type(event) not in POLICY_EVENT_TYPES]
    known = ledger.store.known_ids([(event.key, event.event_id) for event in of_individuals])
    return known | {(e.key, e.event_id) for e in of_policies if ledger.tenant(e.tenant).holds(e.event_id)}


def _stored(ledger: LedgerAtHand, event: Event, histories: dict[str, dict[str, Event]]) -> Event | None:
    if type(event) in POLICY_EVENT_TYPES:
        found = ledger.find(event)
        return None if found is None else found.event
    history = histories.get(event.key)
    if history is None:
        folded = ledger.history(event.key)
        history = histories[event.key] = {recorded.event.event_id: recorded.event for recorded in folded}
    return history.get(event.event_id)
