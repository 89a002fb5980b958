"""Commands for what is kept for the record: drafts, applied choices, deliveries, cases, personal data.

No decision reads what they record, so nothing but the form of their events can refuse them, except that
a delivery is planned of a version that is published. The rules stand in ``ledger.commands``. ``LedgerBegun``
has no command: the log itself writes it, as its first event.
"""

import msgspec

from events.instants import Micros
from events.policy_events import ReviewVerdict
from events.record_events import AttemptResult, Channel, MandateKind, RequestKind


class DraftPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Hand in a draft of a version, named by the digest of its text."""

    policy_id: str
    version: int
    draft_sha256: str


class ReviewPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Judge that draft."""

    policy_id: str
    version: int
    draft_sha256: str
    verdict: ReviewVerdict
    comment: str = ""


class ReportApplied(msgspec.Struct, frozen=True):
    """Say up to which position (``applied``) a service has put an individual's choices into effect."""

    individual: str
    service: str
    applied: str


class PlanDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """Plan to send an individual a notice of a version over a channel."""

    individual: str
    intent_id: str
    policy_id: str
    version: int
    channel: Channel


class ReportDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """Say what came of one attempt at that delivery."""

    individual: str
    intent_id: str
    policy_id: str
    version: int
    channel: Channel
    result: AttemptResult


class OpenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Record that an individual asks for one of their rights."""

    individual: str
    request_id: str
    kind: RequestKind
    stage: str
    due_at: Micros | None = None


class AdvanceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Say which stage that request has reached."""

    individual: str
    request_id: str
    kind: RequestKind
    stage: str
    due_at: Micros | None = None


class OpenComplaint(msgspec.Struct, frozen=True, kw_only=True):
    """Record that an individual complains; ``about`` is a subject, never the text of the complaint."""

    individual: str
    complaint_id: str
    stage: str
    due_at: Micros | None = None
    about: str = ""


class AdvanceComplaint(msgspec.Struct, frozen=True, kw_only=True):
    """Say which stage that complaint has reached."""

    individual: str
    complaint_id: str
    stage: str
    due_at: Micros | None = None
    about: str = ""


class GiveMandate(msgspec.Struct, frozen=True, kw_only=True):
    """Record that somebody (``holder``, pseudonymous) may act for an individual."""

    individual: str
    mandate_id: str
    holder: str
    kind: MandateKind


class EndMandate(msgspec.Struct, frozen=True, kw_only=True):
    """Say that this mandate is over."""

    individual: str
    mandate_id: str
    holder: str
    kind: MandateKind


class StorePersonalData(msgspec.Struct, frozen=True):
    """Store a personal field as ciphertext, encrypted under the individual's own key before it comes here."""

    individual: str
    field: str
    ciphertext: bytes


class ReportDataRead(msgspec.Struct, frozen=True):
    """Say that a personal field was read, and for which purpose."""

    individual: str
    field: str
    purpose: str
