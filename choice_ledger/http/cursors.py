"""Cursors: where a list goes on, as a text that only the list it came from takes back.

A cursor never counts rows: it names the last one given, so that a list stays whole though events arrive
meanwhile. It carries a checksum over itself and over what was asked, so that one that was changed, or that
belongs to another tenant, individual, ledger or query, is refused. The checksum keeps no secret and needs
none: a cursor chooses among what the caller may read anyway.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

CURSOR_LENGTH_MAX: Final = 2_048
"""Characters of a cursor's text."""

_CHECKSUM_BYTES: Final = 12
_T = TypeVar("_T")


class InvalidCursor(ValueError):
    """A text that is no cursor of this list. Take one from the answer before, with the same parameters."""

    def __init__(self) -> None:
        """Say what a cursor must be."""
        super().__init__("must be a cursor that this very list gave, with the same parameters")


def sealed(place: object, asked: Sequence[object]) -> str:
    """The cursor of a place in the list that ``asked`` describes; both must be plain data."""
    content = msgspec.msgpack.encode(place)
    return _text(_checksum(content, asked) + content)


def opened(cursor: str, asked: Sequence[object], kind: type[_T]) -> _T:
    """The place that a cursor names in the list that ``asked`` describes. Raises InvalidCursor."""
    if len(cursor) > CURSOR_LENGTH_MAX:
        raise InvalidCursor
    padded = cursor.encode("ascii", "replace") + b"=" * (-len(cursor) % 4)
    try:
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except binascii.Error:
        raise InvalidCursor from None
    checksum, content = raw[:_CHECKSUM_BYTES], raw[_CHECKSUM_BYTES:]
    if (
        checksum != _checksum(content, asked) or _text(raw) != cursor
    ):  # Base64 can spell bytes in several ways.
        raise InvalidCursor
    try:
        place: Any = msgspec.msgpack.decode(content, type=kind)
    except msgspec.DecodeError:
        raise InvalidCursor from None
    return place  # type: ignore[no-any-return]  # It was checked above.


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _checksum(content: bytes, asked: Sequence[object]) -> bytes:
    described = msgspec.msgpack.encode(list(asked))
    digest = hashlib.blake2b(digest_size=_CHECKSUM_BYTES, person=b"choice-cursor")
    for part in (described, content):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
