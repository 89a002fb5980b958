"""The facts of one individual: all that ``decide`` reads of their events, sorted as the semantics sort them.

Source: ``semantics.md``, *The facts*; ``architecture.md``, *Projections* ("The state of an individual is a
small set of facts").
"""

from typing import Final, TypeAlias

import msgspec

from events.instants import Micros

OrderKey: TypeAlias = tuple[Micros, Micros, str]
"""``(occurred_at, recorded_at, event_id as lower-case text)``: the order of an individual's events."""


class Notice(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A notice that counts, from ``counts_from`` on."""

    counts_from: Micros
    recorded_at: Micros
    event_id: str
    policy_id: str
    version: int
    purposes: tuple[str, ...] | None
    choice_offered: bool
    at_collection: bool

    @property
    def order(self) -> OrderKey:
        """``semantics.md``: "in the order of the instants they count from, then
        `(recorded_at, event_id)`".
        """
        return (self.counts_from, self.recorded_at, self.event_id)

    def says_as_much_as(self, other: "Notice") -> bool:
        """Whether the two differ in nothing but time and id."""
        return (
            self.policy_id == other.policy_id
            and self.version == other.version
            and self.purposes == other.purposes
            and self.choice_offered == other.choice_offered
            and self.at_collection == other.at_collection
        )


class Choice(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An opt-out or an opt-in. ``versions`` is sorted by policy."""

    occurred_at: Micros
    recorded_at: Micros
    event_id: str
    opt_in: bool
    purposes: tuple[str, ...]
    recipients: tuple[str, ...] | None
    versions: tuple[tuple[str, int], ...]
    by_guardian: bool

    @property
    def order(self) -> tuple[Micros, bool, Micros, str]:
        """``semantics.md``: "`(occurred_at, opt-in before opt-out, recorded_at, event_id)`"."""
        return (self.occurred_at, not self.opt_in, self.recorded_at, self.event_id)


class Description(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What was said of where the individual belongs; null says nothing."""

    occurred_at: Micros
    recorded_at: Micros
    event_id: str
    jurisdiction: str | None
    populations: tuple[str, ...] | None

    @property
    def order(self) -> OrderKey:
        """The order of an individual's events."""
        return (self.occurred_at, self.recorded_at, self.event_id)


class Restriction(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A restriction of processing, over from ``over_from`` on (null: still standing)."""

    occurred_at: Micros
    recorded_at: Micros
    event_id: str
    purposes: tuple[str, ...] | None
    over_from: Micros | None


class Compelled(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A disclosure that the law compels, while ``since <= t < to``."""

    occurred_at: Micros
    recorded_at: Micros
    event_id: str
    recipient: str
    purposes: tuple[str, ...] | None
    data: tuple[str, ...] | None
    since: Micros
    to: Micros | None

    @property
    def order(self) -> OrderKey:
        """The order of an individual's events."""
        return (self.occurred_at, self.recorded_at, self.event_id)


class Erasure(msgspec.Struct, frozen=True, array_like=True):
    """The individual was erased."""

    occurred_at: Micros
    recorded_at: Micros
    event_id: str

    @property
    def order(self) -> OrderKey:
        """The order of an individual's events."""
        return (self.occurred_at, self.recorded_at, self.event_id)


class Facts(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """An individual's facts, each list in its order.

    ``newest_recorded_at`` is that of the newest event of any type. ``failed_notices`` are the sorted ids of
    notices of which a failure is known, so that a notice that comes after its own failure is recognised.
    """

    newest_recorded_at: Micros
    notices: tuple[Notice, ...] = ()
    choices: tuple[Choice, ...] = ()
    descriptions: tuple[Description, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    compelled: tuple[Compelled, ...] = ()
    erasures: tuple[Erasure, ...] = ()
    failed_notices: tuple[str, ...] = ()

    def changes_after(self, at: Micros) -> list[Micros]:
        """Every instant after ``at`` from which one of these facts begins or ceases to hold."""
        if at >= self.newest_recorded_at and not self.compelled and not self.restrictions:
            return []  # The common case: all has happened, and nothing has an end of its own.
        instants = [r.over_from for r in self.restrictions if r.over_from is not None]
        for compelled in self.compelled:
            instants.extend(end for end in (compelled.since, compelled.to) if end is not None)
        if at < self.newest_recorded_at:  # Otherwise everything has happened.
            instants.extend(notice.counts_from for notice in self.notices)
            for dated in (self.choices, self.descriptions, self.restrictions, self.compelled, self.erasures):
                instants.extend(fact.occurred_at for fact in dated)
        return [instant for instant in instants if instant > at]


NO_FACTS: Final = Facts(newest_recorded_at=0)
"""The facts of an individual of whom nothing is recorded."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Facts)


def encode_facts(facts: Facts) -> bytes:
    """The canonical bytes of facts: equal facts have equal bytes, on every machine."""
    return _ENCODER.encode(facts)


def decode_facts(data: bytes) -> Facts:
    """The facts of such bytes. Raises msgspec.DecodeError for others."""
    return _DECODER.decode(data)


def told_versions(facts: Facts) -> dict[str, int]:
    """For each policy, the version of which the individual was told last (what ``reach`` keeps)."""
    return {notice.policy_id: notice.version for notice in facts.notices}
