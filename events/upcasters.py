"""What older records mean today: for each superseded schema, the fields as its successor has them.

An upcaster takes the decoded fields of one version and gives those of the next; versions are lifted one by
one. It fills in what the older record did not say, with the value that permits less. Adding a version:

1. copy ``events/schemas/<Type>.avsc`` to ``events/schemas/released/<Type>.v<n>.avsc``, unchanged;
2. change the first, and raise its ``version`` to n + 1;
3. add a row to ``SUPERSEDED`` with the fingerprint of the copy, and golden bytes of the new version.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

Fields: TypeAlias = dict[str, Any]
"""A record's fields by their names in the schema."""

Upcaster: TypeAlias = Callable[[Fields], Fields]
"""From the fields of one version to those of the next."""


class Superseded(NamedTuple):
    """A released schema that no longer writes. ``fingerprint`` (hexadecimal, as the bytes stand in a record)
    is written out here so that a change to the released file cannot go unnoticed.
    """

    type_name: str
    version: int
    fingerprint: str
    upcast: Upcaster


def _notice_given_v1(fields: Fields) -> Fields:
    """Version 1 did not say whether a notice was shown at collection: it then counts as shown apart, so that
    its choice period has to pass before a use begins (``semantics.md``, the decision, 5).
    """
    return {**fields, "at_collection": False}


SUPERSEDED: Final = (Superseded("NoticeGiven", 1, "789c92d2df285b52", _notice_given_v1),)
"""Every released schema that a newer version took the place of, oldest first."""


def upcaster_from(type_name: str, version: int, superseded: tuple[Superseded, ...] = SUPERSEDED) -> Upcaster:
    """One function from the fields of that version to those of the newest. Needs no row for the newest."""
    steps = [row.upcast for row in superseded if row.type_name == type_name and row.version >= version]

    def upcast(fields: Fields) -> Fields:
        for step in steps:
            fields = step(fields)
        return fields

    return upcast
