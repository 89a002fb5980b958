"""``Idempotency-Key``: a call that is sent again is carried out once.

The event's id is derived from tenant and key, so the log itself knows a repetition, and a process that is
killed at any point leaves nothing to clean up: the same call, sent again, derives the same id, finds the same
fingerprint, and appends or is told of the event that stands. What is kept beside the log only tells a key
that is used for another call; it is written before anything is appended.

Source: ``draft-ietf-httpapi-idempotency-key-header``.
"""

import asyncio
import hmac
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Final, TypeAlias

from choice_ledger.http.problems import Fault, Problem
from choice_ledger.used_keys import CLAIMS_MAX, Claim, UsedKeys, UsedKeysFault, Verdict
from events.instants import Micros

if TYPE_CHECKING:
    from choice_ledger.http.endpoints import Call

HEADER: Final = "Idempotency-Key"
"""The header's name."""

KEY_LENGTH_MAX: Final = 255
"""Characters of a key."""

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:choice-ledger:idempotency-key")
_QUOTED: Final = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"', re.ASCII)
_UNQUOTED: Final = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+", re.ASCII)
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}", re.ASCII)
_ESCAPED: Final = re.compile(r"\\(.)")

InThread: TypeAlias = Callable[[Callable[[], list[Verdict]]], Awaitable[list[Verdict]]]
"""Does blocking work in a thread."""


def event_id_of(tenant: str, key: str) -> str:
    """The id of the event that a call with this key records: a UUIDv5 of tenant and key."""
    return str(uuid.uuid5(_NAMESPACE, f"{tenant}/{key}"))


def key_of(header: str) -> str:
    """The key that a header holds: a string of RFC 9651, or, as many send it, the same without quotes.

    Raises Problem ``invalid_header``.
    """
    text = header.strip()
    if quoted := _QUOTED.fullmatch(text):
        key = _ESCAPED.sub(r"\1", quoted[1])
    elif _UNQUOTED.fullmatch(text):
        key = text
    else:
        raise _malformed("must be one string of ASCII characters, in double quotes")
    if not 1 <= len(key) <= KEY_LENGTH_MAX:
        raise _malformed(f"must have 1 to {KEY_LENGTH_MAX} characters")
    return key


def fingerprint_of(key: str, method: str, address: str, raw: bytes) -> bytes:
    """32 bytes that tell one call from another. Nobody without the key can try contents against them.

    ``address`` is path and query as they were sent.
    """
    return hmac.digest(key.encode(), b"\0".join((method.encode(), address.encode(), raw)), "sha256")


def _malformed(message: str) -> Problem:
    return Problem("invalid_header", errors=[Fault(HEADER, message)])


class IdempotencyKeys:
    """Which keys are under way, and what each was first used for. For the event loop's thread alone."""

    def __init__(self, used: UsedKeys, clock: Callable[[], Micros], write: InThread) -> None:
        """Keep what each key was used for in ``used``, which is called by way of ``write``."""
        self._used = used
        self._clock = clock
        self._write = write
        self._under_way: set[str] = set()
        self._waiting: list[tuple[Claim, asyncio.Future[Verdict]]] = []
        self._claiming: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def during(self, call: "Call") -> AsyncIterator[str]:
        """The event id under which a call records, for as long as it is being carried out.

        It follows from the header, or is the body's ``event_id``, or is new. Raises Problem: ``in_flight``,
        ``idempotency_key_reused``, ``invalid_header``, ``refused`` (both were given, or no UUID),
        ``unavailable``, ``overloaded``.
        """
        given = call.body.get("event_id") if isinstance(call.body, dict) else None
        header = call.headers.get("idempotency-key")
        if header is None:
            yield call.service.ledger.new_id() if given is None else _checked(given)
            return
        if given is not None:
            raise Problem("refused", errors=[Fault("event_id", f"stands beside {HEADER}; send one of them")])
        key = key_of(header)
        event_id = event_id_of(call.caller.tenant, key)
        if event_id in self._under_way:
            raise Problem("in_flight")
        self._under_way.add(event_id)
        try:
            fingerprint = fingerprint_of(key, call.method, call.address, call.raw)
            await self._claim(Claim(event_id=uuid.UUID(event_id).bytes, fingerprint=fingerprint))
            yield event_id
        finally:
            self._under_way.discard(event_id)

    async def _claim(self, claim: Claim) -> None:
        """Have a key durably used for a call. Those that wait meanwhile share one write to the disk."""
        if len(self._waiting) >= CLAIMS_MAX:
            raise Problem("overloaded", limit=CLAIMS_MAX)
        verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append((claim, verdict))
        if self._claiming is None:
            # The claims are everybody's: in the context of one call they would wait for its tenant's threads.
            self._claiming = asyncio.create_task(self._claim_all(), context=Context())
        if await verdict == "other":
            raise Problem("idempotency_key_reused")

    async def _claim_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._claim_batch(batch)
        finally:
            self._claiming = None

    async def _claim_batch(self, batch: list[tuple[Claim, asyncio.Future[Verdict]]]) -> None:
        claims, now = [claim for claim, _ in batch], self._clock()
        try:
            verdicts = await self._write(lambda: self._used.claim(claims, now))
        except Exception as fault:  # noqa: BLE001 - whatever it is, each of those that wait is told of it
            for _, waiting in batch:
                if not waiting.done():
                    waiting.set_exception(_told(fault))
            return
        for (_, waiting), verdict in zip(batch, verdicts, strict=True):
            if not waiting.done():
                waiting.set_result(verdict)


def _told(fault: Exception) -> Exception:
    return Problem("unavailable", str(fault)) if isinstance(fault, UsedKeysFault) else fault


def _checked(given: object) -> str:
    if not isinstance(given, str) or not _UUID.fullmatch(given):
        raise Problem("refused", errors=[Fault("event_id", "must be a UUID")])
    return given.lower()
