"""Bodies of requests: JSON, read so strictly that no two readers can understand it differently.

Source: RFC 8259 (a name that is not unique within an object is "unpredictable") and RFC 7493 (I-JSON).
"""

import json
import re
from typing import Any, Final

import msgspec

from choice_ledger.http.problems import Problem

BODY_BYTES_MAX: Final = 1_048_576
"""Bytes of a body, where the endpoint has no limit of its own."""

NESTING_MAX: Final = 32
"""Levels of objects and lists in a body."""

_TEXT: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_NO_BRACKETS: Final = bytes(sorted(set(range(256)) - set(b"[]{}")))
_ROUND: Final = bytes.maketrans(b"[]{}", b"()()")


def read_json(raw: bytes) -> Any:  # noqa: ANN401 - JSON, as it stands
    """The document that a body holds.

    Raises Problem: ``malformed_json`` (lone surrogates and other encodings included), ``duplicate_name``,
    ``nested_too_deeply``.
    """
    try:
        document = msgspec.json.decode(raw)
        _check_depth(raw)
        _check_names(raw, document)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.DecodeError, UnicodeError, ValueError):
        raise Problem("malformed_json") from None
    return document


def _too_deep() -> Problem:
    return Problem("nested_too_deeply", f"at most {NESTING_MAX} levels are read")


def _check_depth(raw: bytes) -> None:
    """Refuse JSON, known to be valid, that has more than ``NESTING_MAX`` levels.

    Taking away every innermost pair of brackets takes away one level. No byte is looked at in Python: a
    megabyte of small lists would hold up all other calls.
    """
    if raw.count(b"[") + raw.count(b"{") <= NESTING_MAX:
        return
    brackets = _TEXT.sub(b"", raw).translate(_ROUND, _NO_BRACKETS)
    for _ in range(NESTING_MAX):
        brackets = brackets.replace(b"()", b"")
        if not brackets:
            return
    raise _too_deep()


def _check_names(raw: bytes, document: object) -> None:
    """Refuse a name that stands twice in an object, of which a decoder silently keeps one.

    Each name brings one colon and texts bring their own, so what was decoded holds fewer colons than the body
    exactly where something was dropped. An escape that may be a colon (U+003A) is read name by name.
    """
    if b"\\u003" in raw:
        json.loads(raw, object_pairs_hook=_unrepeated)
    elif raw.count(b":") != msgspec.json.encode(document).count(b":"):
        raise Problem("duplicate_name")


def _unrepeated(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Problem("duplicate_name")
