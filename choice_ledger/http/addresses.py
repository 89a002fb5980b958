"""What an address says: its parameters in path and query, read so strictly that nothing is guessed."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from choice_ledger.http.endpoints import Endpoint
from choice_ledger.http.problems import Fault, Problem

QUERY_BYTES_MAX: Final = 8_192
"""Bytes of a query; a longer one is refused unread."""

_ESCAPE_CUT: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Addresses:
    """Which methods each address of a table has."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        """Know the addresses of these endpoints, and no others."""
        self._by_length: dict[int, dict[tuple[str | None, ...], set[str]]] = {}
        for endpoint in endpoints:
            pieces = tuple(None if "{" in piece else piece for piece in endpoint.path.split("/"))
            methods = self._by_length.setdefault(len(pieces), {}).setdefault(pieces, {"OPTIONS"})
            methods |= {"GET", "HEAD"} if endpoint.method == "GET" else {endpoint.method}

    def methods(self, raw_path: bytes) -> frozenset[str]:
        """The methods of the address with this path, as it was sent; none where there is no such address."""
        pieces = raw_path.decode("latin-1").split("/")
        found: set[str] = set()
        for pattern, methods in self._by_length.get(len(pieces), {}).items():
            if all(k == p or (k is None and p) for k, p in zip(pattern, pieces, strict=True)):
                found |= methods
        return frozenset(found)


def path_of(segments: Mapping[str, str]) -> dict[str, str]:
    """The path's parameters, from its segments as they were sent, escapes and all.

    Raises Problem ``invalid_parameter``. An escaped slash is part of its segment: ids may hold one.
    """
    values = {name: _decoded(text.encode("latin-1"), is_query=False) for name, text in segments.items()}
    wrong = [name for name, value in values.items() if value is None]
    if wrong:
        errors = [Fault(name, "must be UTF-8, percent-encoded") for name in wrong]
        raise Problem("invalid_parameter", errors=errors)
    return {name: value for name, value in values.items() if value is not None}


def query_of(endpoint: Endpoint, raw: bytes) -> dict[str, str]:
    """The query's parameters. Raises Problem ``invalid_parameter`` with all that is wrong at once."""
    if not raw and not any(p.required and p.place == "query" for p in endpoint.parameters):
        return {}
    if len(raw) > QUERY_BYTES_MAX:
        raise Problem("invalid_parameter", errors=[Fault("", f"has more than {QUERY_BYTES_MAX} bytes")])
    pairs = [_pair(piece) for piece in raw.split(b"&") if piece]
    known = {p.name: p.required for p in endpoint.parameters if p.place == "query"}
    faults = _faults(pairs, known)
    if faults:
        raise Problem("invalid_parameter", errors=faults)
    return {name: value for name, value in pairs if name is not None and value is not None}


def _pair(piece: bytes) -> tuple[str | None, str | None]:
    name, _, value = piece.partition(b"=")
    return _decoded(name, is_query=True), _decoded(value, is_query=True)


def _decoded(text: bytes, *, is_query: bool) -> str | None:
    if _ESCAPE_CUT.search(text):
        return None
    try:
        return unquote_to_bytes(text.replace(b"+", b" ") if is_query else text).decode("utf-8")
    except UnicodeDecodeError:
        return None


def _faults(pairs: Sequence[tuple[str | None, str | None]], known: Mapping[str, bool]) -> list[Fault]:
    """What is wrong. A name that is not known is not repeated: it may hold anything."""
    faults: list[Fault] = []
    names = [name for name, _ in pairs]
    strange = sum(name not in known for name in names)
    if strange:
        taken = ", ".join(known) or "none"
        faults.append(Fault("", f"{strange} parameters are not known here; those that are: {taken}"))
    for name, required in known.items():
        values = [value for other, value in pairs if other == name]
        if not values and required:
            faults.append(Fault(name, "is missing"))
        elif len(values) > 1:
            faults.append(Fault(name, "stands more than once"))
        elif None in values:
            faults.append(Fault(name, "must be UTF-8, percent-encoded"))
    return faults
