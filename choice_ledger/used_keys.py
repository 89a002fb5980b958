"""The port to what is kept of idempotency keys: which call each was first used for."""

from collections.abc import Sequence
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from events.instants import DAY, Micros

KEPT_FOR: Final = 7 * DAY
"""How long a key is remembered. After it, the log alone tells what its event id was used for."""

KEYS_MAX: Final = 1_000_000
"""Keys that are remembered; beyond them the oldest are forgotten first."""

CLAIMS_MAX: Final = 1_000
"""Claims that one call of ``claim`` may hold."""

Verdict: TypeAlias = Literal["first", "same", "other"]
"""Whether a key is new, was used for this very call, or was used for another."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A key that is to be used for a call. Nothing can be read back from either part: ``event_id`` (16
    bytes) follows from tenant and key, and ``fingerprint`` (32 bytes) from the call, keyed by the key.
    """

    event_id: bytes
    fingerprint: bytes


class UsedKeysFault(Exception):
    """The keys cannot be read or written now. See to the disk, and send the same call again."""


class UsedKeys(Protocol):
    """What is kept of idempotency keys.

    1. ``claim`` must answer each claim in its order, as if the claims were made one after another.
    2. It must answer only when every first claim among them is durable: a claim that was answered survives
       the end of this process and of the machine.
    3. A claim answered ``first`` before must be answered ``same`` where the fingerprint is the same, and
       ``other`` where it is not, within ``KEPT_FOR`` of that first one, as long as no more than ``KEYS_MAX``
       keys are in use.
    4. A claim that raises must leave each key as it was, or claimed for this very call.
    5. Several processes may use the same keys at once, and each must see what another has claimed.
    """

    def claim(self, claims: Sequence[Claim], now: Micros) -> list[Verdict]:
        """Claim keys. May block; raises UsedKeysFault."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...
