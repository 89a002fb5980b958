"""The OpenAPI 3.1 document of the service, made from the table of endpoints.

Source: OpenAPI Specification 3.1.1, RFC 9457 (problems). It is made from the rows and not by Litestar, which
loses tagged unions and does not know which problem each endpoint can end in. Every answer of a test is held
against it, so a row that says less or other than its endpoint does is found.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from itertools import groupby
from typing import Any, Final, get_args

import msgspec

from choice_ledger.access import SCOPES
from choice_ledger.http.components import PREFIX, Components
from choice_ledger.http.endpoints import TEXT, Answered, Endpoint, Parameter
from choice_ledger.http.problems import KINDS, PROBLEM_MEDIA_TYPE, Fault
from projections.decision import DecidedDenial, OutsideDenial

OPENAPI_VERSION: Final = "3.1.1"
"""The version of the specification that the document keeps to."""

SCHEME: Final = "token"
"""The name of the one security scheme."""

PROBLEMS_OF_ALL: Final = (
    "invalid_parameter",
    "invalid_header",
    "head_too_large",
    "defect",
    "unavailable",
    "overloaded",
    "stopped",
)
"""What every call can end in."""

PROBLEMS_OF_CONNECTIONS: Final = ("malformed_http", "head_too_large")
"""What a connection can end in before there is a call: it has no request id. A call ends in no first one."""

PROBLEMS_OF_TOKENS: Final = ("token_missing", "token_refused", "rate_limited")
"""What a call can end in besides, where a token is asked for."""

PROBLEMS_OF_SCOPES: Final = ("scope_missing",)
"""What a call can end in besides, where the token needs a scope."""

PROBLEMS_OF_BODIES: Final = (
    "malformed_json",
    "duplicate_name",
    "nested_too_deeply",
    "body_too_slow",
    "body_too_large",
    "unsupported_media_type",
)
"""What a call can end in besides, where it brings a body."""

PROBLEMS_WITHOUT_BODIES: Final = ("body_not_taken",)
"""What a call can end in besides, where it must not bring one."""

BESIDE: Final[Mapping[str, Mapping[str, object]]] = {
    "scope_missing": {"scopes": {"type": "array", "items": {"enum": list(SCOPES)}, "minItems": 1}},
    "use_denied": {"reason": {"enum": [*get_args(DecidedDenial), *get_args(OutsideDenial)]}},
    "body_too_large": {"limit": {"type": "integer", "description": "Bytes of a body, at most."}},
    "not_ready": {
        "checks": {
            "type": "array",
            "description": "What each check found; its message with `verbose` alone.",
            "items": {
                "type": "object",
                "properties": {
                    "check": {"type": "string"},
                    "ok": {"type": "boolean"},
                    "message": {"type": "string"},
                },
                "required": ["check", "ok"],
            },
        }
    },
    "unknown": {"event_id": {"type": "string", "format": "uuid", "description": "The id to send again."}},
}
"""The members that a problem has beside those that every problem has, by its kind."""

_SUMMARY: Final = "An event-sourced ledger of consent and choice: record, consult and explain."
_ABOUT: Final = """\
What was declared, told and chosen, and what is therefore permitted. Every call but the open ones carries
`Authorization: Bearer <token>`; tenant and identity follow from the token, never from the call. Whatever goes
wrong ends as a problem (RFC 9457) of a kind that `/problems/{kind}` explains, with every fault of the request
in `errors`. A position is opaque: pass it back as `after`, and the answer is at least as fresh.
"""


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The document that these rows make. Raises SchemasDiffer where two types have one name."""
    rows, components = tuple(endpoints), Components()
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, components)
    return {
        "openapi": OPENAPI_VERSION,
        "info": _info(),
        "servers": [{"url": "/", "description": "The service that answered this document."}],
        "tags": [{"name": tag} for tag in dict.fromkeys(row.tag for row in rows)],
        "paths": paths,
        "components": {
            "schemas": components.schemas(),
            "headers": _HEADERS,
            "securitySchemes": {SCHEME: _SECURITY},
        },
    }


def problems_of(row: Endpoint) -> tuple[str, ...]:
    """Every kind of problem that a call of this endpoint can end in, in the order of their table."""
    kinds = {*row.problems, *PROBLEMS_OF_ALL}
    if not row.open:
        kinds.update(PROBLEMS_OF_TOKENS)
    if row.scopes:
        kinds.update(PROBLEMS_OF_SCOPES)
    kinds.update(PROBLEMS_WITHOUT_BODIES if row.body is None else PROBLEMS_OF_BODIES)
    return tuple(kind for kind in KINDS if kind in kinds)


def problem_name(kind: str) -> str:
    """The name of the schema of one kind of problem: `ProblemNotFound`."""
    return "Problem" + "".join(word.capitalize() for word in kind.split("_"))


_SECURITY: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token that `choice-ledger token create` printed. Where an operation names several "
    "scopes, one of them is enough.",
}

_HEADERS: Final[dict[str, Any]] = {
    "X-Request-Id": {
        "description": "The id under which this call stands in the log.",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    },
    "Retry-After": {
        "description": "Seconds after which the call may be tried again.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 6750).",
        "required": True,
        "schema": {"type": "string"},
    },
}


def _info() -> dict[str, Any]:
    return {
        "title": "Choice ledger",
        "version": version("choice-ledger"),
        "summary": _SUMMARY,
        "description": _ABOUT,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }


def _operation(row: Endpoint, components: Components) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": row.operation,
        "summary": row.summary,
        "description": row.description or row.summary,
        "tags": [row.tag],
        "security": _security(row),
        "responses": _answers(row, components) | _problems(row, components),
    }
    if row.parameters:
        told["parameters"] = [_parameter(parameter, components) for parameter in row.parameters]
    if row.body is not None:
        told["requestBody"] = _body(row, row.body, components)
    return told


def _security(row: Endpoint) -> list[dict[str, list[str]]]:
    if row.open:
        return []
    return [{SCHEME: [scope]} for scope in SCOPES if scope in row.scopes] or [{SCHEME: []}]


def _parameter(parameter: Parameter, components: Components) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required or parameter.place == "path",
        "description": parameter.description,
        "schema": components.taken(parameter.schema),
    }


def _body(row: Endpoint, schema: Mapping[str, object], components: Components) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": components.taken(schema)}
    if row.example is not None:
        content["example"] = row.example
    told = {row.body_media_type: content}
    if row.text_too:
        told[TEXT] = {"schema": {"type": "string", "minLength": 1}, "example": "The text alone."}
    return {"required": True, "content": told}


def _answers(row: Endpoint, components: Components) -> dict[str, Any]:
    return {str(answer.status): _answer(answer, components) for answer in row.answers}


def _answer(answer: Answered, components: Components) -> dict[str, Any]:
    headers: dict[str, Any] = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()
    }
    content = {media: {"schema": components.taken(schema)} for media, schema in answer.content.items()}
    told = {"description": answer.description, "headers": headers | _header("X-Request-Id")}
    return told | ({"content": content} if content else {})


def _problems(row: Endpoint, components: Components) -> dict[str, Any]:
    by_status = groupby(problems_of(row), key=lambda kind: KINDS[kind].status)
    return {str(status): _problem_answer(tuple(kinds), components) for status, kinds in by_status}


def _problem_answer(kinds: Sequence[str], components: Components) -> dict[str, Any]:
    named = {f"/problems/{kind}": _kind(kind, components)["$ref"] for kind in kinds}
    schema: dict[str, Any] = {"$ref": next(iter(named.values()))}
    if len(named) > 1:
        refs = [{"$ref": name} for name in named.values()]
        schema = {"oneOf": refs, "discriminator": {"propertyName": "type", "mapping": named}}
    headers = {} if set(kinds) <= set(PROBLEMS_OF_CONNECTIONS) else _header("X-Request-Id")
    if any(KINDS[kind].retry for kind in kinds):
        headers |= _header("Retry-After")
    if KINDS[kinds[0]].status == 401:
        headers |= _header("WWW-Authenticate")
    return {
        "description": "\n".join(f"{KINDS[kind].title}. {KINDS[kind].remedy}" for kind in kinds),
        "headers": headers,
        "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}},
    }


def _header(name: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"}}


def _kind(kind: str, components: Components) -> dict[str, str]:
    if "Problem" not in components.schemas():
        components.add("Problem", _problem(components))
    beside = BESIDE.get(kind, {})
    row = KINDS[kind]
    return components.add(
        problem_name(kind),
        {
            "allOf": [{"$ref": f"{PREFIX}Problem"}],
            "description": f"{row.title}. {row.remedy}",
            "properties": {"type": {"const": f"/problems/{kind}"}, "status": {"const": row.status}, **beside},
            "required": ["type", "status", *beside],
        },
    )


def _problem(components: Components) -> dict[str, Any]:
    _, definitions = msgspec.json.schema_components([Fault], ref_template=PREFIX + "{name}")
    members = {
        "type": {"type": "string", "format": "uri-reference", "description": "Which kind: it is an address."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "For people. It repeats no value of the request."},
        "remedy": {"type": "string", "description": "What to do about it."},
        "request_id": {"type": "string", "description": "The id of the call, as in `X-Request-Id`."},
    }
    faults = {"type": "array", "items": components.add("Fault", definitions["Fault"]), "minItems": 1}
    return {
        "type": "object",
        "description": "What a call that was refused ends in (RFC 9457). Further members may stand beside.",
        "properties": members | {"errors": faults},
        "required": list(members),
    }
