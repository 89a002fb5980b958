"""Every refusal of the HTTP service, in one table: its status, its title, and what to do about it.

Source: RFC 9457 (problem details). ``docs/reference/problems.md`` is made from this table, and a test holds
that each row can be provoked. A problem's ``type`` is ``/problems/<kind>``, which the service itself answers.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
"""RFC 9457, section 3: the media type of a problem."""

FAULTS_TOLD_MAX: Final = 100
"""Faults of one request that its problem lists; a request with more is told of the first."""


class Kind(NamedTuple):
    """One row of the table. ``remedy`` says what the caller can do, ``when`` when it happens, and ``retry``
    whether the same call may be sent again as it stands.
    """

    status: int
    title: str
    remedy: str
    when: str
    retry: bool = False


KINDS: Final[dict[str, Kind]] = {
    "malformed_json": Kind(
        400,
        "The body is not one JSON document in UTF-8",
        "Send valid JSON (RFC 8259).",
        "The body is cut, is not UTF-8, holds a lone surrogate, or is no JSON at all.",
    ),
    "malformed_http": Kind(
        400,
        "What was sent is no HTTP request",
        "Send HTTP/1.1 (RFC 9112).",
        "The connection brought bytes that are no HTTP request; there is no call that it could belong to.",
    ),
    "duplicate_name": Kind(
        400,
        "An object in the body has a name twice",
        "Name each member once.",
        "An object names a member twice, so that two readers could understand it differently.",
    ),
    "nested_too_deeply": Kind(
        400,
        "The body nests too deeply",
        "Send what the endpoint takes.",
        "Objects and lists stand in each other beyond the limit.",
    ),
    "invalid_parameter": Kind(
        400,
        "A parameter of the address is wrong",
        "Mend the parameters in `errors`.",
        "A parameter of the path or the query is missing, wrong, or none of the endpoint's.",
    ),
    "invalid_header": Kind(
        400,
        "A header is wrong",
        "Mend the header named in `errors`.",
        "A header is not what it must be, or stands twice where one is meant.",
    ),
    "malformed_request": Kind(
        400,
        "The request is not as AuthZEN has it",
        "Mend the members that `errors` names.",
        "A request of AuthZEN lacks a member, has one of another type, or contradicts itself.",
    ),
    "body_not_taken": Kind(
        400,
        "This endpoint takes no body",
        "Send the call without a body.",
        "A call of an endpoint that takes no body brought one.",
    ),
    "token_missing": Kind(
        401,
        "The call carries no token",
        "Send `Authorization: Bearer <token>`.",
        "The endpoint asks for a token, and the call has no bearer token in `Authorization`.",
    ),
    "token_refused": Kind(
        401,
        "The token is not valid",
        "Use a token that is whole, not expired and not revoked; `choice-ledger token create` makes one.",
        "The token is mistyped, unknown, expired, or revoked. Which of these is not told.",
    ),
    "scope_missing": Kind(
        403,
        "The token may not do this",
        "Use a token with one of the scopes that the problem names.",
        "The token is good, and has none of the scopes of which the endpoint asks for one.",
    ),
    "not_found": Kind(
        404,
        "There is nothing here",
        "See `/openapi.json` for what there is.",
        "No endpoint has this address, or what the address names is not there for this tenant.",
    ),
    "method_not_allowed": Kind(
        405,
        "This address has no such method",
        "Use a method that `Allow` names.",
        "The address has an endpoint, but not with this method.",
    ),
    "not_acceptable": Kind(
        406,
        "No representation has the type that `Accept` asks for",
        "Ask for one that `/openapi.json` lists.",
        "The endpoint can answer in several types, and `Accept` takes none of them.",
    ),
    "body_too_slow": Kind(
        408,
        "The body did not arrive in time",
        "Send the whole body at once.",
        "The body began, and was not whole within the limit.",
        retry=True,
    ),
    "in_flight": Kind(
        409,
        "A call with this Idempotency-Key has not ended yet",
        "Wait, and send the same call again.",
        "A call with the same key and body is still under way.",
        retry=True,
    ),
    "use_denied": Kind(
        409,
        "The disclosure was not permitted, and nothing is recorded",
        "Ask `/v1/why`; where it has happened all the same, say so with `although_denied`.",
        "A disclosure is to be recorded that is denied for the reason which the problem names.",
    ),
    "event_id_taken": Kind(
        409,
        "The event id names another event already",
        "Give this event an id of its own.",
        "The id was used before, with other content; what was recorded then stands.",
    ),
    "wrong_generation": Kind(
        409,
        "The position belongs to another generation of the ledger",
        "Take a position from a receipt or an answer of this ledger; a restored one begins anew.",
        (
            "A position came from another ledger, or from before this one was restored: nothing here "
            "can reach it."
        ),
    ),
    "body_too_large": Kind(
        413,
        "The body is too large",
        "Send less at once; the problem names the limit.",
        "The body, or its announced length, is beyond the endpoint's limit; it is not read on.",
    ),
    "unsupported_media_type": Kind(
        415,
        "The body is not of a type that this endpoint takes",
        "Send `Content-Type: application/json`.",
        "A body came with another Content-Type, character set or encoding.",
    ),
    "refused": Kind(
        422,
        "The content was refused, and nothing is recorded",
        "Mend the fields in `errors`.",
        "The body is good JSON, and says what the endpoint, the rules or the ledger cannot take.",
    ),
    "idempotency_key_reused": Kind(
        422,
        "This Idempotency-Key came with another body before",
        "Use a new key for a new call.",
        "The key was used before, for a call with another body or of another endpoint.",
    ),
    "rate_limited": Kind(
        429,
        "Too many calls with this token",
        "Wait for as long as `Retry-After` says.",
        "The token called more often than the settings let it.",
        retry=True,
    ),
    "head_too_large": Kind(
        431,
        "The line and the headers of the request are too large",
        "Send fewer and shorter headers, and a shorter address; the problem names the limit.",
        "The head of the request is beyond the limit in bytes or in headers; it is not read on.",
    ),
    "defect": Kind(
        500,
        "The service is at fault",
        "Report it with the request id.",
        "Something went wrong that nobody foresaw. The log holds the details, the answer does not.",
    ),
    "damaged": Kind(
        500,
        "What is stored is not what was stored",
        "Tell the operator, whom `choice-ledger doctor` helps.",
        "A text or a record does not have the digest under which it was stored, or is gone.",
    ),
    "unknown": Kind(
        503,
        "Whether the event is recorded is not known",
        "Send the same call again with the event id that the problem names: it is recorded once.",
        "The event was sent to the log, and the log did not tell in time whether it is durable.",
        retry=True,
    ),
    "unavailable": Kind(
        503,
        "The log or the state cannot be used now",
        "Try again later.",
        "The disk is full, the brokers are away, or the state cannot be read.",
        retry=True,
    ),
    "overloaded": Kind(
        503,
        "More is asked at once than can be answered",
        "Try again later.",
        "So many calls wait for a thread that one more would only wait.",
        retry=True,
    ),
    "stopped": Kind(
        503,
        "The service stopped before the call had ended",
        "Send the same call again; one that records needs the same Idempotency-Key or event id.",
        (
            "The service was told to stop, and the call took longer than it then waits for calls. What it "
            "was to record may be recorded or not."
        ),
        retry=True,
    ),
    "not_ready": Kind(
        503,
        "The service cannot do its work now",
        "Send calls elsewhere meanwhile; `/readyz?verbose` tells an operator why.",
        "The service stops, its state is too old, or something that it stands on cannot be used.",
        retry=True,
    ),
    "stale": Kind(
        503,
        "The state is not as fresh as it must be for this answer",
        "Try again, or wait longer.",
        (
            "The state did not reach the position asked for within the wait, or is older than it may "
            "be. A decision is then no problem: it is denied, with the reason `stale`."
        ),
        retry=True,
    ),
}
"""Every kind of problem by its name, in the order of their statuses."""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong. ``field`` is a path in the body (``purposes[0].key``), or a parameter's or
    header's name; empty is the whole body. Neither it nor the message repeats a value of the request.
    """

    field: str
    message: str


class Problem(Exception):
    """A call that ends in a refusal. ``detail`` is for people; it holds no value of the request.

    ``beside`` are further members of the problem, such as ``event_id`` or ``limit``; ``headers`` go with it.
    """

    def __init__(
        self,
        kind: str,
        detail: str = "",
        errors: Sequence[Fault] = (),
        *,
        retry_after_s: int = 1,
        headers: Mapping[str, str] = MappingProxyType({}),
        **beside: object,
    ) -> None:
        """End the call with the problem ``kind``, a name in ``KINDS``."""
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        self.row = KINDS[kind]
        self.detail = detail
        self.errors = tuple(errors[:FAULTS_TOLD_MAX])
        self.retry_after_s = retry_after_s
        self.headers = headers
        self.beside = beside

    def members(self, request_id: str) -> dict[str, object]:
        """The members of the problem, as RFC 9457 names them, with ours beside them."""
        told: dict[str, object] = {
            "type": f"/problems/{self.kind}",
            "title": self.row.title,
            "status": self.row.status,
            "detail": self.detail or self.row.remedy,
            "remedy": self.row.remedy,
            "request_id": request_id,
        }
        if self.errors:
            told["errors"] = self.errors
        return told | self.beside
