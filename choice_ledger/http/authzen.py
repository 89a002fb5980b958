"""AuthZEN's endpoints: the rows of the OpenID Authorization API 1.0, and what its calls have of their own.

Source: OpenID Authorization API 1.0, section 10. A fault of a request is 400, where the ledger's own
endpoints say 415 or 422; everything else is as for any call.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import msgspec

from choice_ledger.access import Caller, Scope
from choice_ledger.http.authzen_evaluations import EVALUATIONS_MAX, evaluation, evaluations
from choice_ledger.http.authzen_metadata import AUTHZEN_METADATA, PATHS
from choice_ledger.http.authzen_schemas import (
    ACTION_SEARCH,
    DECIDED,
    DECIDED_OR_MANY,
    EVALUATION,
    EVALUATIONS,
    RESOURCE_SEARCH,
    SEARCHED,
    SUBJECT_SEARCH,
    Schema,
)
from choice_ledger.http.authzen_searches import LOOKED_AT_MAX, search
from choice_ledger.http.bodies import read_json
from choice_ledger.http.endpoints import Answered, AsgiApp, Endpoint
from choice_ledger.http.faults import problem_of
from choice_ledger.http.gate import Visit, bare
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.http.service import Service

Answering: TypeAlias = Callable[[Service, Caller, Any], Awaitable[msgspec.Struct]]
"""What makes the answer of an endpoint, from the caller and the request's document."""

TAG: Final = "AuthZEN"
SCOPES: Final[frozenset[Scope]] = frozenset({"check"})

_ENCODER: Final = msgspec.json.Encoder()


def told_as(fault: Exception, request_id: str) -> Problem:
    """The problem that a fault comes to, with the status that AuthZEN has for it.

    Section 10.1.2 knows one answer to what is wrong with a request: 400.
    """
    problem = problem_of(fault, request_id)
    if problem.kind == "unsupported_media_type":
        errors = [Fault("content-type", "must be `application/json` in UTF-8, without a Content-Encoding")]
        return Problem("malformed_request", errors=errors)
    return problem


def _answered(operation: str, answering: Answering) -> Callable[[Service], AsgiApp]:
    def app(service: Service) -> AsgiApp:
        async def answer(visit: Visit, raw: bytes) -> bytes:
            assert visit.caller is not None
            return _ENCODER.encode(await answering(service, visit.caller, read_json(raw)))

        return bare(service, operation, scopes=SCOPES, answer=answer, told_as=told_as)

    return app


async def _subjects(service: Service, caller: Caller, document: object) -> msgspec.Struct:
    return await search("subject", service, caller.tenant, document)


async def _resources(service: Service, caller: Caller, document: object) -> msgspec.Struct:
    return await search("resource", service, caller.tenant, document)


async def _actions(service: Service, caller: Caller, document: object) -> msgspec.Struct:
    return await search("action", service, caller.tenant, document)


def _row(
    parameter: str,
    operation: str,
    answering: Answering,
    *,
    summary: str,
    description: str,
    body: Schema,
    answer: Schema,
    example: object,
    problems: tuple[str, ...] = (),
) -> Endpoint:
    content = {"application/json": answer}
    return Endpoint(
        method="POST",
        path=PATHS[parameter],
        operation=operation,
        summary=summary,
        description=description,
        tag=TAG,
        answers=(Answered(status=200, description="The answer, a denial included.", content=content),),
        problems=("malformed_request", "invalid_header", *problems),
        scopes=SCOPES,
        asgi=_answered(operation, answering),
        body=body,
        example=example,
    )


_SUBJECT: Final = {"type": "recipient", "id": "adco"}
_ACTION: Final = {"name": "website.periodic_email"}
_RESOURCE: Final = {"type": "individual", "id": "ana"}
_USE: Final = (
    "The action's name is the purpose, the resource is the individual. A subject of type `recipient` means a "
    "disclosure to it, one of type `service`, registered as the tenant's own, means own use; nothing is "
    "permitted to any other. `data`, `at`, `known_at`, `after` and `wait_ms` may stand in the context or in "
    "the properties of action or resource. Members that are not known are ignored."
)

AUTHZEN: Final[tuple[Endpoint, ...]] = (
    _row(
        "access_evaluation_endpoint",
        "authzen_evaluation",
        evaluation,
        summary="Evaluate one request",
        description=_USE,
        body=EVALUATION,
        answer=DECIDED,
        example={"subject": _SUBJECT, "action": _ACTION, "resource": _RESOURCE},
    ),
    _row(
        "access_evaluations_endpoint",
        "authzen_evaluations",
        evaluations,
        summary="Evaluate many requests",
        description=f"{_USE} At most {EVALUATIONS_MAX} are answered at once, all from one moment.",
        body=EVALUATIONS,
        answer=DECIDED_OR_MANY,
        example={
            "subject": _SUBJECT,
            "resource": _RESOURCE,
            "evaluations": [{"action": _ACTION}, {"action": {"name": "hr.payroll"}}],
            "options": {"evaluations_semantic": "execute_all"},
        },
    ),
    _row(
        "search_subject_endpoint",
        "authzen_subject_search",
        _subjects,
        summary="Which subjects may do this to the individual's data",
        description=f"{_USE} Of type `service`, the tenant's own services are searched; of type `recipient`, "
        "those whom a policy ever declared for the purpose, and those whom a law named.",
        body=SUBJECT_SEARCH,
        answer=SEARCHED,
        example={"subject": {"type": "recipient"}, "action": _ACTION, "resource": _RESOURCE},
        problems=("stale",),
    ),
    _row(
        "search_resource_endpoint",
        "authzen_resource_search",
        _resources,
        summary="To which individuals' data the subject may do this",
        description=f"{_USE} A page looks at no more than {LOOKED_AT_MAX} individuals: it may be empty, and "
        "another follow it.",
        body=RESOURCE_SEARCH,
        answer=SEARCHED,
        example={"subject": _SUBJECT, "action": _ACTION, "resource": {"type": "individual"}},
        problems=("stale",),
    ),
    _row(
        "search_action_endpoint",
        "authzen_action_search",
        _actions,
        summary="What the subject may do to the individual's data",
        description=f"{_USE} Every purpose that a policy of the tenant ever declared is searched.",
        body=ACTION_SEARCH,
        answer=SEARCHED,
        example={"subject": _SUBJECT, "resource": _RESOURCE},
        problems=("stale",),
    ),
    AUTHZEN_METADATA,
)
"""The rows of this part."""
