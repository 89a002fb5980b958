"""``Idempotency-Key``: a call that is sent again is carried out once.

The event's id is derived from tenant and key, so the log itself knows a repetition. What is kept here only
tells a key that is used for another call: a fingerprint of the first.
"""

import uuid
from typing import Final

KEY_LENGTH_MAX: Final = 255
"""Characters of a key."""

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:choice-ledger:idempotency-key")


def event_id_of(tenant: str, key: str) -> str:
    """The id of the event that a call with this key records: a UUIDv5 of tenant and key."""
    return str(uuid.uuid5(_NAMESPACE, f"{tenant}/{key}"))


class IdempotencyKeys:
    """Which keys are under way, and what each was first used for. For the event loop's thread alone."""

    def __init__(self) -> None:
        """Know of no key."""
        self._under_way: set[tuple[str, str]] = set()
        self._first: dict[tuple[str, str], bytes] = {}
