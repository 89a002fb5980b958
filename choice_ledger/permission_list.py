"""All permissions of an individual as they are told, over HTTP and on the command line."""

import msgspec

from choice_ledger.http.questions import Told, told
from events.instants import format_instant
from projections.reader import Enquiry, Permissions


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """One use and the decision on it. ``recipient`` null is the controller's own use."""

    purpose: str
    recipient: str | None
    decision: Told


class PermissionList(msgspec.Struct, frozen=True, kw_only=True):
    """Every use, answered for the one instant ``at`` and from the one moment that ``position`` names."""

    individual: str
    at: str
    known_at: str | None
    position: str | None
    permissions: tuple[Permission, ...]


def listed(enquiry: Enquiry, found: Permissions) -> PermissionList:
    """The permissions that were found for an enquiry."""
    return PermissionList(
        individual=enquiry.individual,
        at=format_instant(found.at),
        known_at=None if enquiry.known_at is None else format_instant(enquiry.known_at),
        position=None if found.position is None else found.position.encode(),
        permissions=tuple(
            Permission(
                purpose=answer.question.purpose,
                recipient=answer.question.recipient,
                # One position holds for all of them, and stands beside the list.
                decision=msgspec.structs.replace(told(answer.decision, None), position=msgspec.UNSET),
            )
            for answer in found.answers
        ),
    )
