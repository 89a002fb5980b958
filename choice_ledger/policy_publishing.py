"""From a policy file to the command that publishes it, and from a policy to the one that withdraws it."""

from typing import Any, Final

import msgspec

from choice_ledger.exits import refused
from choice_ledger.policy_file import PolicyFile
from events.catalogue import TenantPolicies
from events.instants import Micros
from events.lines import InvalidLine, event_from_fields
from events.policy_events import PolicyAmended
from events.union import Recorded
from ledger.commands import PublishPolicy

_ENVELOPE: Final[dict[str, Any]] = {
    "type": "PolicyAmended",
    "event_id": "00000000-0000-0000-0000-000000000000",
    "tenant": "main",
    "occurred_at": "1970-01-01T00:00:00Z",
}
"""What an event needs besides what a file says; the command that is made of it brings its own."""


def publication(policy: PolicyFile, effective_at: Micros | None, *, at_once: bool) -> PublishPolicy:
    """The command that publishes a file. ``effective_at`` and ``at_once`` go before what the file says."""
    try:
        event = event_from_fields({**_ENVELOPE, **policy.amendment})
    except InvalidLine as fault:
        raise refused(fault.field, fault.message) from None
    assert isinstance(event, PolicyAmended)
    fields = {name: getattr(event, name) for name in PublishPolicy.__struct_fields__}
    command = PublishPolicy(**fields)
    if at_once:
        return msgspec.structs.replace(command, effective_at=None)
    return command if effective_at is None else msgspec.structs.replace(command, effective_at=effective_at)


def withdrawal(
    policies: TenantPolicies, policy_id: str, effective_at: Micros | None, held: Recorded | None = None
) -> PublishPolicy | None:
    """The command that withdraws a policy; none where there is no such policy.

    ``held`` is what was recorded under the command's event id before: a repetition is of that version.
    """
    standing = policies.standing.get(policy_id)
    if not standing:
        return None
    repeated = None if held is None else held.event
    return PublishPolicy(
        policy_id=policy_id,
        version=repeated.version if isinstance(repeated, PolicyAmended) else len(standing) + 1,
        effective_at=effective_at,
        title=standing[-1].event.title,
        contact=standing[-1].event.contact,
    )
