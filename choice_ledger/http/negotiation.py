"""What the caller asks for by ``Accept`` and ``Accept-Language``, held against what there is.

Source: RFC 9110, sections 12.4.2 (weights), 12.5.1 (``Accept``) and 12.5.4 (``Accept-Language``); RFC 4647,
section 3.4 (lookup).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

RANGES_MAX: Final = 50
"""Ranges of one header that are read; a header with more is read so far."""

_WEIGHT: Final = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.ASCII)


class _Range(NamedTuple):
    """One range of a header, in lower case, and its weight from 0 to 1."""

    name: str
    weight: float


def media_type(accept: str | None, offered: Sequence[str]) -> str | None:
    """The offered type that ``Accept`` prefers, the earlier of equals; none where it wants none of them.

    Without the header the first is meant. The most specific range that matches a type gives its weight.
    """
    if accept is None or not accept.strip():
        return offered[0]
    ranges = list(_ranges(accept))
    weighed = [(_weight_of_type(kind, ranges), kind) for kind in offered]
    best = max(weight for weight, _ in weighed)
    return next(kind for weight, kind in weighed if weight == best) if best > 0 else None


def language(accept_language: str | None, offered: Sequence[str]) -> str | None:
    """The offered language that ``Accept-Language`` prefers, by lookup; none where it wants none of them.

    ``de-CH`` finds ``de``. A range of ``*`` finds nothing: it is what the default is for.
    """
    ranges = sorted(_ranges(accept_language or ""), key=lambda r: -r.weight)  # A stable sort keeps the order.
    for name, weight in ranges:
        found = looked_up(name, offered)
        if found is not None and weight > 0:
            return found
    return None


def looked_up(tag: str, offered: Sequence[str]) -> str | None:
    """The offered language that a tag means, its last parts being dropped one by one; or none."""
    parts = tag.lower().split("-")
    while parts:
        name = "-".join(parts)
        if name in offered:
            return name
        parts.pop()
    return None


def _ranges(header: str) -> Iterator[_Range]:
    """The ranges of a header, in their order; what is malformed is passed over."""
    for part in header.split(",", RANGES_MAX)[:RANGES_MAX]:
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights = [value.removeprefix("q=").strip() for value in parameters if value.startswith("q=")]
        if name and all(_WEIGHT.fullmatch(weight) for weight in weights):
            yield _Range(name, float(weights[0]) if weights else 1.0)


def _weight_of_type(kind: str, ranges: Sequence[_Range]) -> float:
    for name in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        weights = [weight for asked, weight in ranges if asked == name]
        if weights:
            return max(weights)
    return 0.0
