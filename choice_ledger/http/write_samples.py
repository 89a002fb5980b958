"""A good value for every field of every event that a client may write, in the form of a line.

They stand in, one by one, for what is wrong in a body, so that the rest of it can be read; and they are what
the examples of the documentation are cut from.
"""

from collections.abc import Mapping
from typing import Any, Final

_ID: Final = "0197f3a0-0000-7000-8000-00000000000a"
_DIGEST: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_INSTANT: Final = "2026-05-03T09:00:00.000000Z"
_DUE_AT: Final = "2026-06-17T00:00:00.000000Z"

_TERMS: Final = {
    "key": "newsletter.monthly",
    "mode": "opt_out",
    "title": "A letter each month",
    "meaning": 1,
    "replaces": ["newsletter.weekly"],
    "legal_basis": "consent",
    "recipients": [{"name": "adco", "role": "third_party", "mode": "opt_in"}],
    "data": ["email_address"],
    "populations": ["visitor"],
    "transfer_basis": [{"jurisdiction": "EU", "framework": "eu_us_dpf"}],
    "choice_period": "P30D",
    "valid_for": "P365D",
    "survives_erasure": False,
    "survives_restriction": False,
}

_CASE: Final = {"individual": "ana", "stage": "received", "due_at": _DUE_AT}
_DRAFT: Final = {"policy_id": "newsletter", "version": 1, "draft_sha256": _DIGEST}
_DELIVERY: Final = {
    "individual": "ana",
    "intent_id": _ID,
    "policy_id": "privacy",
    "version": 1,
    "channel": "email",
}
_MANDATE: Final = {"individual": "ana", "mandate_id": "mandate-1", "holder": "agent-7", "kind": "agent"}
_REQUEST: Final = {**_CASE, "request_id": "request-1", "kind": "access"}
_COMPLAINT: Final = {**_CASE, "complaint_id": "complaint-1", "about": "letters after an opt-out"}

SAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "PolicyAmended": {
        "policy_id": "newsletter",
        "version": 1,
        "effective_at": _INSTANT,
        "title": "How we use your address",
        "summary": "The first version.",
        "wording": {"en": _DIGEST},
        "purposes": [_TERMS],
        "gpc_purposes": ["newsletter"],
        "contact": "privacy officer",
    },
    "PolicyDrafted": _DRAFT,
    "PolicyReviewed": {**_DRAFT, "verdict": "approved", "comment": "clear"},
    "FrameworkStatusChanged": {"framework": "eu_us_dpf", "in_force": True, "from": _INSTANT},
    "SafeguardWaived": {"what": "backups", "why": "a trial without real people"},
    "IndividualDescribed": {
        "individual": "ana",
        "jurisdiction": "US",
        "populations": ["visitor"],
        "locale": "en",
    },
    "NoticeGiven": {
        "individual": "ana",
        "notice_id": "notice-1",
        "policy_id": "privacy",
        "version": 1,
        "purposes": ["website.surveys"],
        "choice_offered": True,
        "at_collection": True,
        "locale": "en",
        "wording_sha256": _DIGEST,
    },
    "NoticeOutcome": {
        "individual": "ana",
        "notice_id": "notice-1",
        "outcome": "failed",
        "detail": "5.1.1",
    },
    "ChoiceMade": {
        "individual": "ana",
        "decision": "opt_out",
        "purposes": ["website.surveys"],
        "recipients": ["adco"],
        "versions": {"privacy": 1},
        "evidence": {"sha256": _DIGEST, "kind": "scan"},
    },
    "ChoiceApplied": {"individual": "ana", "service": "mailer", "applied": "the position of a receipt"},
    "IndividualsLinked": {"individual": "browser-1", "other": "account-1"},
    "IndividualsUnlinked": {"individual": "browser-1", "other": "account-1"},
    "ProcessingRestricted": {"individual": "ana", "restriction_id": "restriction-1", "purposes": ["website"]},
    "RestrictionLifted": {"individual": "ana", "restriction_id": "restriction-1"},
    "DisclosureCompelled": {
        "individual": "ana",
        "recipient": "tax_office",
        "legal_reference": "section 7",
        "purposes": ["hr"],
        "data": ["name"],
        "from": _INSTANT,
        "to": _DUE_AT,
    },
    "DisclosureMade": {
        "individual": "ana",
        "recipient": "adco",
        "purpose": "website.surveys",
        "data": ["email_address"],
        "at": _INSTANT,
        "decision": {"reason": "not_opted_out", "position": "", "evidence": [_ID]},
    },
    "DeliveryPlanned": _DELIVERY,
    "DeliveryAttempted": {**_DELIVERY, "result": "sent"},
    "RequestOpened": _REQUEST,
    "RequestAdvanced": {**_REQUEST, "stage": "answered"},
    "ComplaintOpened": _COMPLAINT,
    "ComplaintAdvanced": {**_COMPLAINT, "stage": "answered"},
    "MandateGiven": _MANDATE,
    "MandateEnded": _MANDATE,
    "PersonalDataStored": {"individual": "ana", "field": "address", "ciphertext": "3q2+7w=="},
    "PersonalDataRead": {"individual": "ana", "field": "address", "purpose": "delivery"},
    "IndividualErased": {"individual": "ana", "reason": "asked for"},
    "QuarantineResolved": {
        "individual": "ana",
        "position": f"{_ID}/consent.individuals/0/7",
        "how": "the record was sent again",
    },
}
"""The samples by the name of their event type: every field of its own, and every list with an item."""
