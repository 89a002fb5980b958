"""The question and the answer of ``decide``.

Source: ``semantics.md``, *The question*.
"""

from typing import Final, Literal, TypeAlias, get_args

import msgspec

from events.instants import Micros

PermittingReason: TypeAlias = Literal["required_by_law", "opted_in", "necessary", "not_opted_out"]
DecidedDenial: TypeAlias = Literal[
    "erased",
    "restricted",
    "purpose_not_declared",
    "population_not_covered",
    "recipient_not_declared",
    "data_not_declared",
    "transfer_basis_lapsed",
    "not_told",
    "told_terms_differ",
    "no_choice_offered",
    "choice_period_running",
    "opted_out",
    "consent_predates_terms",
    "consent_expired",
    "consent_not_by_guardian",
    "consent_required",
]
OutsideDenial: TypeAlias = Literal["stale", "quarantined", "gap", "wrong_generation", "keys_unavailable"]
"""``semantics.md``: "Reasons outside `decide`, always denials"."""

Reason: TypeAlias = PermittingReason | DecidedDenial | OutsideDenial
Override: TypeAlias = Literal["erased", "restricted", "opted_out"]

PERMITTING: Final = frozenset(get_args(PermittingReason))
"""The only reasons that permit."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """May this be done, at the instant ``at``, on what was recorded by ``known_at`` (null: all folded)?

    ``recipient`` null is the controller's own use. ``data`` empty means all that the terms in force declare.
    """

    tenant: str
    individual: str
    purpose: str
    at: Micros
    recipient: str | None = None
    data: tuple[str, ...] = ()
    known_at: Micros | None = None

    @property
    def key(self) -> str:
        """The key of the individual's events: ``tenant/individual``."""
        return f"{self.tenant}/{self.individual}"


class PolicyRef(msgspec.Struct, frozen=True):
    """A policy and the version of it that was in force."""

    id: str
    version: int


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, the rule that gave it, and the events that decided it.

    ``until`` is an instant up to which the answer stays the same if nothing more is recorded; null if it
    never changes. ``overrides`` (what a law overrode) and ``objection`` (an opt-out that a necessary
    purpose passes over) stand beside the answer and change nothing in it.
    """

    permitted: bool
    reason: Reason
    policy: PolicyRef | None = None
    evidence: tuple[str, ...] = ()
    until: Micros | None = None
    overrides: tuple[Override, ...] = ()
    objection: str | None = None


def outside(reason: OutsideDenial) -> Decision:
    """A denial for a cause that no event explains: what cannot be determined is denied."""
    return Decision(permitted=False, reason=reason)
