"""Every endpoint against every kind of caller: what each call has to come to, worked out by itself.

``MAY`` is written down from what the scopes are for. The service's own rows are tried, and never believed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from choice_ledger.access import SCOPES, Scope
from choice_ledger.http.endpoints import JSON, Endpoint
from choice_ledger.token_text import token_text
from choice_ledger.wiring import new_id, now, token_file
from events.instants import DAY
from tests.http.serving import Served

# Who may call what. A star: any token. A dash: nobody needs one.
MAY: Final[Mapping[str, str]] = {
    "POST /v1/wordings": "publish",
    "POST /v1/policies": "publish",
    "POST /v1/policies/{policy_id}/withdrawal": "publish",
    "POST /v1/policy-drafts": "publish",
    "POST /v1/policy-reviews": "publish",
    "POST /v1/frameworks": "publish",
    "POST /v1/waivers": "admin",
    "POST /v1/descriptions": "record officer",
    "POST /v1/notices": "record officer",
    "POST /v1/notice-outcomes": "record officer",
    "POST /v1/choices": "record officer",
    "POST /v1/applied-choices": "record",
    "POST /v1/disclosures": "record",
    "POST /v1/planned-deliveries": "record",
    "POST /v1/delivery-attempts": "record",
    "POST /v1/links": "officer",
    "POST /v1/unlinks": "officer",
    "POST /v1/restrictions": "officer",
    "POST /v1/restriction-lifts": "officer",
    "POST /v1/compelled-disclosures": "officer",
    "POST /v1/requests": "officer",
    "POST /v1/request-steps": "officer",
    "POST /v1/complaints": "officer",
    "POST /v1/complaint-steps": "officer",
    "POST /v1/mandates": "officer",
    "POST /v1/mandate-ends": "officer",
    "POST /v1/personal-data": "officer",
    "POST /v1/personal-data-reads": "officer",
    "POST /v1/erasures": "officer",
    "POST /v1/quarantine-resolutions": "officer",
    "POST /v1/check": "check",
    "POST /v1/checks": "check",
    "POST /v1/why": "audit officer",
    "GET /v1/individuals/{individual}/permissions": "check audit officer",
    "GET /v1/individuals/{individual}/history": "audit officer",
    "GET /v1/policies": "*",
    "GET /v1/policies/{policy_id}/versions": "*",
    "GET /v1/policies/{policy_id}/versions/{version}": "*",
    "GET /v1/policies/{policy_id}/versions/{version}/wordings/{locale}": "*",
    "GET /v1/events": "audit",
    "POST /access/v1/evaluation": "check",
    "POST /access/v1/evaluations": "check",
    "POST /access/v1/search/subject": "check",
    "POST /access/v1/search/resource": "check",
    "POST /access/v1/search/action": "check",
    "GET /.well-known/authzen-configuration": "-",
    "GET /livez": "-",
    "GET /readyz": "-",
    "GET /metrics": "admin",
    "GET /openapi.json": "-",
    "GET /docs": "-",
    "GET /problems/{kind}": "-",
}

# What stands for the parameters of an address.
IN_PATHS: Final = {
    "individual": "ana",
    "policy_id": "privacy",
    "version": "1",
    "locale": "en",
    "kind": "defect",
}


@dataclass(frozen=True)
class Token:
    """A credential of the matrix: its text (none: the call has none), and what it is good for."""

    kind: str
    text: str | None
    scopes: frozenset[Scope] | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.text is None else {"Authorization": f"Bearer {self.text}"}


def name_of(endpoint: Endpoint) -> str:
    """An endpoint as ``MAY`` and the OpenAPI document name it."""
    return f"{endpoint.method} {endpoint.path}"


def tokens_for(served: Served, endpoint: Endpoint) -> Iterator[Token]:
    """Every kind of credential: none, bad ones, each scope alone, and all scopes but those asked for."""
    at, file = now(), token_file(served.settings)

    def made(*scopes: Scope, ends: int = DAY) -> tuple[str, str]:
        token_id = new_id()
        text = file.create(
            token_id=token_id, name="matrix", tenant="main", scopes=scopes, now=at, expires_at=at + ends
        )
        return token_id, text

    yield Token("none", None)
    yield Token("garbage", "garbage")
    yield Token("unknown", token_text("0" * 43))
    yield Token("expired", made(*SCOPES, ends=0)[1])
    token_id, text = made(*SCOPES)
    file.revoke(token_id, at)
    yield Token("revoked", text)
    for scope in SCOPES:
        yield Token(f"scope {scope}", made(scope)[1], frozenset({scope}))
    asked = MAY.get(name_of(endpoint), "*").split()
    if others := tuple(scope for scope in SCOPES if scope not in asked):
        yield Token("every other scope", made(*others)[1], frozenset(others))


def expected(endpoint: Endpoint, token: Token) -> tuple[int, str] | None:
    """The status and the kind of problem that a call has to end in; none: it has to be let in."""
    asked = MAY[name_of(endpoint)].split()
    if asked == ["-"]:
        return None
    if token.text is None:
        return 401, "token_missing"
    if token.scopes is None:
        return 401, "token_refused"
    if asked == ["*"] or not token.scopes.isdisjoint(asked):
        return None
    return 403, "scope_missing"


def request_of(endpoint: Endpoint, in_paths: Mapping[str, str] = IN_PATHS) -> dict[str, Any]:
    """The call that the row's own example makes, as httpx takes it."""
    names = [part.name for part in endpoint.parameters if part.place == "path"]
    address = endpoint.path.format(**{name: in_paths[name] for name in names})
    request: dict[str, Any] = {"method": endpoint.method, "url": address}
    if endpoint.body is not None and endpoint.body_media_type == JSON:
        request["json"] = endpoint.example
    elif endpoint.body is not None:
        request |= {"content": endpoint.example, "headers": {"Content-Type": endpoint.body_media_type}}
    return request


def kind_of(answer: httpx.Response) -> str:
    """The kind of a problem; empty for any other answer."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return ""
    return str(answer.json()["type"]).removeprefix("/problems/")


def finding(endpoint: Endpoint, token: Token, answer: httpx.Response) -> str | None:
    """What is wrong with an answer, if anything."""
    wanted, got = expected(endpoint, token), (answer.status_code, kind_of(answer))
    if wanted is None:
        is_wrong = answer.status_code in {401, 403, 429} or answer.status_code >= 500
    else:
        is_wrong = got != wanted
    words = "let in" if wanted is None else f"{wanted[0]} {wanted[1]}"
    return f"{name_of(endpoint)} with {token.kind}: {got[0]} {got[1]}, not {words}" if is_wrong else None


def access_findings(served: Served, endpoints: Iterable[Endpoint]) -> tuple[list[str], set[str]]:
    """What is wrong with the access to a running service, and which endpoints were called."""
    findings, called = [], set[str]()
    for number, endpoint in enumerate(endpoints, 1):
        called.add(name_of(endpoint))
        # Each endpoint from an address of its own: what fails often from one is limited.
        transport = httpx.HTTPTransport(local_address=f"127.0.1.{number}")
        with httpx.Client(base_url=served.url, timeout=30, transport=transport) as client:
            for token in tokens_for(served, endpoint):
                request = request_of(endpoint)
                headers = {**request.pop("headers", {}), **token.headers}
                answer = client.request(**request, headers=headers)
                if found := finding(endpoint, token, answer):
                    findings.append(found)
    return findings, called
