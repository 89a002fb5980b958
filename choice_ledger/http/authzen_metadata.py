"""AuthZEN's metadata: where the endpoints are, for whoever knows the service's address alone.

Source: OpenID Authorization API 1.0, section 9. The document is one for all tenants: whose ledger a call
means follows from its token.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from choice_ledger.http.endpoints import Answered, Call, Endpoint, Reply
from choice_ledger.http.problems import Fault, Problem

PATHS: Final[Mapping[str, str]] = {
    "access_evaluation_endpoint": "/access/v1/evaluation",
    "access_evaluations_endpoint": "/access/v1/evaluations",
    "search_subject_endpoint": "/access/v1/search/subject",
    "search_resource_endpoint": "/access/v1/search/resource",
    "search_action_endpoint": "/access/v1/search/action",
}
"""Section 10.1: the path of each endpoint, by the metadata parameter that tells its address."""

METADATA_AGE_S_MAX: Final = 3_600
"""How long anybody may keep the document, where it does not rest on what the call itself says."""

HOST_LENGTH_MAX: Final = 261
"""Characters of a ``Host``: a name of 255, a colon and a port."""

_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII
)


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Section 9.1. What has no value (capabilities, signed metadata) is left out, as section 9.2.2 asks."""

    policy_decision_point: str
    access_evaluation_endpoint: str
    access_evaluations_endpoint: str
    search_subject_endpoint: str
    search_resource_endpoint: str
    search_action_endpoint: str


def metadata_of(public_url: str) -> Metadata:
    """The document of a service at this address."""
    addresses = {parameter: public_url + path for parameter, path in PATHS.items()}
    return Metadata(policy_decision_point=public_url, **addresses)


def address_of(host: str) -> str:
    """The address of a service that was called by this ``Host``.

    The scheme is https, as section 9.1.1 has it, whoever ends TLS. Raises Problem ``invalid_header`` for what
    is no name and port: anything else could lead whoever reads the document elsewhere.
    """
    if len(host) > HOST_LENGTH_MAX or not _HOST.fullmatch(host):
        raise Problem("invalid_header", errors=[Fault("host", "must be a host's name, and a port or none")])
    return f"https://{host.lower()}"


async def metadata(call: Call) -> Reply:
    """The document. Nobody may keep one whose address was taken from the call."""
    public_url = call.service.ledger.settings.public_url
    if public_url:
        cached = f"public, max-age={METADATA_AGE_S_MAX}"
        return Reply(content=metadata_of(public_url), headers={"Cache-Control": cached})
    address = address_of(call.headers.get("host", ""))
    return Reply(content=metadata_of(address), headers={"Cache-Control": "no-store"})


AUTHZEN_METADATA: Final = Endpoint(
    method="GET",
    path="/.well-known/authzen-configuration",
    operation="authzen_metadata",
    summary="Where AuthZEN's endpoints are",
    description="One document for all tenants: the tenant follows from the token of each call. The addresses "
    "begin with the setting `public_url`, or with the `Host` of the call where it is not set.",
    tag="AuthZEN",
    answers=(
        Answered(
            status=200,
            description="The metadata of the policy decision point.",
            content={"application/json": msgspec.json.schema(Metadata)},
        ),
    ),
    problems=("invalid_header",),
    open=True,
    handler=metadata,
)
"""The row of the metadata."""
