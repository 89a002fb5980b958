"""Changes of a state store, for its tests: small ones of each kind, and one with something of everything."""

from collections.abc import Callable, Iterable

from events.streams import LogRecord, Position, Slice
from projections.ports import (
    Change,
    HistoryEntry,
    QuarantineEntry,
    QuarantineScope,
    ReachEntry,
    Resolution,
    StateStore,
)

GENERATION = "11111111-1111-4111-8111-111111111111"
ZERO = Slice("individuals", 0)
ONE = Slice("individuals", 1)
POLICY_SLICE = Slice("policies", 0)
START = Position.of(GENERATION, [(ZERO, 0), (ONE, 0), (POLICY_SLICE, 0)])
DECOMPOSED = "t/e\N{COMBINING ACUTE ACCENT}"
COMPOSED = "t/\N{LATIN SMALL LETTER E WITH ACUTE}"
KEYS_ALIKE = ("t/Ana", "t/ana", "t/ANA", COMPOSED, DECOMPOSED, "t/ss", "t/ß", "t/a", "t/a0", "t/a-b", "u/ana")

OpenStore = Callable[[], StateStore]


def position(zero: int, one: int = 0, policies: int = 0) -> Position:
    """A position by the next offset of each slice."""
    return Position.of(GENERATION, [(ZERO, zero), (ONE, one), (POLICY_SLICE, policies)])


def event_id(number: int) -> str:
    """The event id of that number."""
    return f"00000000-0000-4000-8000-{number:012x}"


def entry(number: int, value: bytes = b"value", slice_: Slice = ZERO) -> HistoryEntry:
    """The history entry whose event has that number."""
    return HistoryEntry(event_id(number), 1_700_000_000_000_000 + number, slice_, number, value)


def bad(
    offset: int,
    subject: str = "t/ana",
    scope: QuarantineScope = "individual",
    slice_: Slice = ZERO,
) -> QuarantineEntry:
    """An unreadable record at that offset."""
    place = LogRecord(slice_, offset, b"", b"").place
    return QuarantineEntry(place, slice_, offset, scope, subject, "unknown_schema", b"\xff\x00")


def change(
    expected: Position | None,
    reached: Position,
    *,
    facts: dict[str, bytes] | None = None,
    reach: Iterable[ReachEntry] = (),
    history: Iterable[tuple[str, HistoryEntry]] = (),
    policies: Iterable[LogRecord] = (),
    quarantined: Iterable[QuarantineEntry] = (),
    resolved: Iterable[Resolution] = (),
    latest: Iterable[LogRecord] = (),
) -> Change:
    """A change in which everything that is not named is empty."""
    return Change(
        expected,
        reached,
        facts or {},
        tuple(reach),
        tuple(history),
        tuple(policies),
        tuple(quarantined),
        tuple(resolved),
        tuple(latest),
    )


def full_change(expected: Position | None, number: int) -> Change:
    """A change with something of everything, all of it named by the number."""
    key = f"t/person-{number}"
    policy = LogRecord(POLICY_SLICE, number, b"t", b"policy")
    return change(
        expected,
        position(number, policies=number),
        facts={key: b"facts"},
        reach=[ReachEntry(key, "website", number)],
        history=[(key, entry(number))],
        policies=[policy],
        quarantined=[bad(number, key)],
        latest=[LogRecord(ZERO, number, key.encode(), b"value"), policy],
    )


def state_of(store: StateStore) -> tuple[object, ...]:
    """Everything that can be read of a store in which the keys are those of ``full_change``."""
    keys = [key for key, _ in store.scan()]
    return (
        store.checkpoint(),
        list(store.scan()),
        [list(store.history(key)) for key in keys],
        list(store.policies()),
        list(store.reach("t", "website")),
        list(store.open_quarantine()),
        list(store.latest()),
    )
