"""When an event that the ledger hears itself happened: at the instant at which the log took it.

Source: ``semantics.md``, *The facts*: "Where the ledger hears the individual itself (web, intranet, app,
gpc, api) they are equal". Only the log knows that instant, so its adapters call ``dated``.
"""

import msgspec

from events.instants import Micros
from events.policy_events import PolicyAmended
from events.union import Event
from ledger.log import Proposal


def dated(event: Event, recorded_at: Micros) -> Event:
    """The event as it is stored: happening when it was recorded.

    A version of a policy that takes effect as it is published (``effective_at`` equal to ``occurred_at``)
    goes on doing so: outside an import, ``effective_at`` is never before ``recorded_at``.
    """
    if isinstance(event, PolicyAmended) and event.effective_at == event.occurred_at:
        return msgspec.structs.replace(event, occurred_at=recorded_at, effective_at=recorded_at)
    return msgspec.structs.replace(event, occurred_at=recorded_at)


def is_repetition(proposal: Proposal, stored: Event) -> bool:
    """Whether a stored event of the same id has the content that is proposed, its dating left to the log."""
    event = dated(proposal.event, stored.occurred_at) if proposal.heard_now else proposal.event
    return event == stored
