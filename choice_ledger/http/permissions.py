"""All current permissions of an individual: one decision for every use that the policies speak of."""

from typing import Final

import msgspec

from choice_ledger.http.endpoints import JSON, Answered, Call, Endpoint, Parameter, Reply
from choice_ledger.http.parameters import INDIVIDUAL, READING, Parameters, await_fresh, check_still_fresh
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.permission_list import PermissionList, listed
from events.envelope import NAME_BYTES_MAX, check_selector
from projections.permissions import USES_MAX, TooManyUses
from projections.reader import Enquiry

_PURPOSE: Final = Parameter(
    name="purpose",
    place="query",
    schema={
        "type": "string",
        "maxLength": NAME_BYTES_MAX,
        "pattern": r"^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)$",
    },
    description="A purpose, or a branch of them (`hr` is `hr` and `hr.*`). Without it: all.",
)
_PARAMETERS: Final = (INDIVIDUAL, _PURPOSE, *READING)


async def _permissions(call: Call) -> Reply:
    parameters = Parameters(call)
    individual = parameters.individual()
    purpose = parameters.query("purpose", _selector)
    reading = parameters.reading()
    parameters.checked()
    await await_fresh(call, reading)
    enquiry = Enquiry(
        tenant=call.caller.tenant,
        individual=individual,
        purpose=purpose or "*",
        at=reading.at,
        known_at=reading.known_at,
    )
    try:
        found = await call.service.read(lambda: call.service.checks.permissions(enquiry))
    except TooManyUses:
        fault = Fault("purpose", f"must select fewer than all: more than {USES_MAX} uses are declared")
        raise Problem("invalid_parameter", errors=[fault]) from None
    check_still_fresh(call)
    return Reply(content=listed(enquiry, found))


def _selector(text: str) -> str:
    check_selector("purpose", text)
    return text


PERMISSIONS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        method="GET",
        path="/v1/individuals/{individual}/permissions",
        operation="permissions",
        summary="All current permissions of an individual",
        description="A decision for every purpose that any version of the tenant's policies declares, for "
        "the controller's own use and for every recipient that they name or whom the law compels to be told. "
        "All are answered for one instant and from one moment of the state. Where that cannot be shown to be "
        "fresh enough nothing is told: treat it as a denial.",
        tag="Read",
        scopes=frozenset({"check", "audit", "officer"}),
        parameters=_PARAMETERS,
        answers=(
            Answered(
                status=200,
                description="Every use, with its decision.",
                content={JSON: msgspec.json.schema(PermissionList)},
            ),
        ),
        problems=("invalid_parameter", "stale", "wrong_generation"),
        handler=_permissions,
    ),
)
"""The rows of this part."""
