"""The events of the stream ``consent.individuals`` that the decision reads.

Source: ``semantics.md``, *The facts*, and ``events.md``, the rows whose stream is *individuals*.
"""

from typing import Literal, TypeAlias

import msgspec

from events.envelope import (
    IndividualStreamEvent,
    InvalidEvent,
    check_instant,
    check_key,
    check_name,
    check_selector,
    check_sha256,
    check_text,
    check_version,
)
from events.instants import Micros

ChoiceDecision: TypeAlias = Literal["opt_in", "opt_out"]
DeliveryOutcome: TypeAlias = Literal["delivered", "failed"]


class IndividualDescribed(IndividualStreamEvent, frozen=True, kw_only=True):
    """Where an individual belongs. Null leaves what was said before; an empty list names no population."""

    jurisdiction: str | None = None
    populations: tuple[str, ...] | None = None
    locale: str | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        IndividualStreamEvent.__post_init__(self)
        for field in ("jurisdiction", "locale"):
            if (value := getattr(self, field)) is not None:
                check_name(field, value)
        for population in self.populations or ():
            check_name("populations", population)


class NoticeGiven(IndividualStreamEvent, frozen=True, kw_only=True):
    """The individual was told of a version; ``purposes`` null means the whole of it."""

    notice_id: str
    policy_id: str
    version: int
    purposes: tuple[str, ...] | None = None
    choice_offered: bool = False
    at_collection: bool = False
    locale: str | None = None
    wording_sha256: str | None = None

    def __post_init__(self) -> None:
        """Check the names, the version and the digest."""
        IndividualStreamEvent.__post_init__(self)
        check_name("notice_id", self.notice_id)
        check_name("policy_id", self.policy_id)
        check_version("version", self.version)
        for key in self.purposes or ():
            check_key("purposes", key)
        if self.locale is not None:
            check_name("locale", self.locale)
        if self.wording_sha256 is not None:
            check_sha256("wording_sha256", self.wording_sha256)


class NoticeOutcome(IndividualStreamEvent, frozen=True, kw_only=True):
    """Whether that notice arrived. ``detail`` is an enhanced status code (RFC 3463), never an address."""

    notice_id: str
    outcome: DeliveryOutcome
    detail: str = ""

    def __post_init__(self) -> None:
        """Check the name and the detail."""
        IndividualStreamEvent.__post_init__(self)
        check_name("notice_id", self.notice_id)
        if "@" in self.detail:
            raise InvalidEvent("detail", "must be a status code such as 5.1.1, never an address")
        check_text("detail", self.detail)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What proves a choice: the digest of a ciphertext in the content store, and its kind (``scan``)."""

    sha256: str
    kind: str

    def __post_init__(self) -> None:
        """Check the digest and the kind."""
        check_sha256("evidence.sha256", self.sha256)
        check_name("evidence.kind", self.kind)


class ChoiceMade(IndividualStreamEvent, frozen=True, kw_only=True):
    """An opt-out (selectors, cascading) or an opt-in (keys one by one), for recipients or for all.

    ``recipients`` null is everything for an opt-out and own use alone for an opt-in. ``versions`` names,
    per policy, the version that the individual had before them.
    """

    decision: ChoiceDecision
    purposes: tuple[str, ...]
    recipients: tuple[str, ...] | None = None
    versions: dict[str, int] | None = None
    evidence: Evidence | None = None

    def __post_init__(self) -> None:
        """Check the names; an opt-in never takes ``*``, because a grant does not cascade."""
        IndividualStreamEvent.__post_init__(self)
        check = check_selector if self.decision == "opt_out" else check_key
        for selector in self.purposes:
            check("purposes", selector)
        for recipient in self.recipients or ():
            check_name("recipients", recipient)
        for policy_id, version in (self.versions or {}).items():
            check_name("versions", policy_id)
            check_version("versions", version)


class ProcessingRestricted(IndividualStreamEvent, frozen=True, kw_only=True):
    """Processing is restricted for the selected purposes (null: all) until the restriction is lifted."""

    restriction_id: str
    purposes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        IndividualStreamEvent.__post_init__(self)
        check_name("restriction_id", self.restriction_id)
        for selector in self.purposes or ():
            check_selector("purposes", selector)


class RestrictionLifted(IndividualStreamEvent, frozen=True, kw_only=True):
    """The restriction of that id is over from ``occurred_at`` on, whatever the order of arrival."""

    restriction_id: str

    def __post_init__(self) -> None:
        """Check the name."""
        IndividualStreamEvent.__post_init__(self)
        check_name("restriction_id", self.restriction_id)


class DisclosureCompelled(IndividualStreamEvent, frozen=True, kw_only=True):
    """The law compels a disclosure to a recipient, from ``from_`` (``from`` in a line) until ``to``."""

    recipient: str
    legal_reference: str
    purposes: tuple[str, ...] | None = None
    data: tuple[str, ...] | None = None
    from_: Micros = msgspec.field(name="from")
    to: Micros | None = None

    def __post_init__(self) -> None:
        """Check the names and the interval's ends."""
        IndividualStreamEvent.__post_init__(self)
        check_name("recipient", self.recipient)
        check_text("legal_reference", self.legal_reference)
        for selector in self.purposes or ():
            check_selector("purposes", selector)
        for category in self.data or ():
            check_name("data", category)
        for field, instant in (("from", self.from_), ("to", self.to)):
            if instant is not None:
                check_instant(field, instant)


class IndividualErased(IndividualStreamEvent, frozen=True, kw_only=True):
    """Everything that could name the individual is destroyed. Final: who returns is a new individual."""

    reason: str = ""

    def __post_init__(self) -> None:
        """Check the reason."""
        IndividualStreamEvent.__post_init__(self)
        check_text("reason", self.reason)


class IndividualsLinked(IndividualStreamEvent, frozen=True, kw_only=True):
    """This individual and ``other`` are the same person (a browser and an account)."""

    other: str

    def __post_init__(self) -> None:
        """Check the other's id."""
        IndividualStreamEvent.__post_init__(self)
        check_name("other", self.other)


class IndividualsUnlinked(IndividualStreamEvent, frozen=True, kw_only=True):
    """The link to ``other`` is over: later opt-outs no longer travel."""

    other: str

    def __post_init__(self) -> None:
        """Check the other's id."""
        IndividualStreamEvent.__post_init__(self)
        check_name("other", self.other)


class QuarantineResolved(IndividualStreamEvent, frozen=True, kw_only=True):
    """An operator settled the unreadable record at ``position``: ``generation/stream/partition/offset``.

    The generation is that of the ledger in which it was settled; in any other the event settles nothing.
    """

    position: str
    how: str

    def __post_init__(self) -> None:
        """Check the two texts."""
        IndividualStreamEvent.__post_init__(self)
        check_name("position", self.position)
        check_text("how", self.how)
