"""The events of the stream ``consent.policies``: what a controller publishes, and what befell the ledger.

Source: ``events.md``, the rows whose stream is *policies*.
"""

from typing import Literal, TypeAlias

import msgspec

from events.envelope import (
    PolicyStreamEvent,
    check_instant,
    check_name,
    check_selector,
    check_sha256,
    check_text,
    check_uuid,
    check_version,
)
from events.instants import Micros
from events.terms import Terms

ReviewVerdict: TypeAlias = Literal["approved", "rejected"]


class LedgerBegun(PolicyStreamEvent, frozen=True, kw_only=True):
    """The first event of a ledger. ``generation`` is the random id that every position of it bears."""

    generation: str

    def __post_init__(self) -> None:
        """Check the generation."""
        PolicyStreamEvent.__post_init__(self)
        check_uuid("generation", self.generation)


class PolicyDrafted(PolicyStreamEvent, frozen=True, kw_only=True):
    """A draft of a version was handed in, named by the digest of its text."""

    policy_id: str
    version: int
    draft_sha256: str

    def __post_init__(self) -> None:
        """Check the names and the digest."""
        PolicyStreamEvent.__post_init__(self)
        check_name("policy_id", self.policy_id)
        check_version("version", self.version)
        check_sha256("draft_sha256", self.draft_sha256)


class PolicyReviewed(PolicyStreamEvent, frozen=True, kw_only=True):
    """Somebody else judged that draft."""

    policy_id: str
    version: int
    draft_sha256: str
    verdict: ReviewVerdict
    comment: str = ""

    def __post_init__(self) -> None:
        """Check the names, the digest and the comment."""
        PolicyStreamEvent.__post_init__(self)
        check_name("policy_id", self.policy_id)
        check_version("version", self.version)
        check_sha256("draft_sha256", self.draft_sha256)
        check_text("comment", self.comment)


class PolicyAmended(PolicyStreamEvent, frozen=True, kw_only=True):
    """Version n of a policy, in force from ``effective_at``. With no purposes it is a withdrawal.

    ``wording`` names the text of each locale by digest. Whether the version stands or is void is for the
    catalogue to judge, in log order; an event that is void is well-formed all the same.
    """

    policy_id: str
    version: int
    effective_at: Micros
    title: str = ""
    summary: str = ""
    wording: dict[str, str] = msgspec.field(default_factory=dict)
    purposes: tuple[Terms, ...] = ()
    gpc_purposes: tuple[str, ...] = ()
    contact: str = ""

    def __post_init__(self) -> None:
        """Check names, texts, digests and the instant."""
        PolicyStreamEvent.__post_init__(self)
        check_name("policy_id", self.policy_id)
        check_version("version", self.version)
        check_instant("effective_at", self.effective_at)
        for field in ("title", "summary", "contact"):
            check_text(field, getattr(self, field))
        for locale, digest in self.wording.items():
            check_name("wording", locale)
            check_sha256("wording", digest)
        for selector in self.gpc_purposes:
            check_selector("gpc_purposes", selector)


class FrameworkStatusChanged(PolicyStreamEvent, frozen=True, kw_only=True):
    """From ``from_`` on (``from`` in a line), a transfer framework is in force or it is not."""

    framework: str
    in_force: bool
    from_: Micros = msgspec.field(name="from")

    def __post_init__(self) -> None:
        """Check the name and the instant."""
        PolicyStreamEvent.__post_init__(self)
        check_name("framework", self.framework)
        check_instant("from", self.from_)


class SafeguardWaived(PolicyStreamEvent, frozen=True, kw_only=True):
    """An operator went on without a safeguard, and said why. Every audit prints it."""

    what: str
    why: str

    def __post_init__(self) -> None:
        """Check the two texts."""
        PolicyStreamEvent.__post_init__(self)
        check_name("what", self.what)
        check_text("why", self.why)
