"""The JSON Schemas of AuthZEN's requests and answers.

Source: OpenID Authorization API 1.0, sections 5 to 8. Requests are described by hand, because they may have
members that nobody knows yet; answers follow from the types that are written.
"""

from typing import Any, Final, TypeAlias

import msgspec

from choice_ledger.freshness import WAIT_MS_MAX
from choice_ledger.http.authzen_evaluations import EVALUATIONS_MAX, SEMANTICS, DecidedMany
from choice_ledger.http.authzen_questions import Decided
from choice_ledger.http.authzen_searches import Searched
from choice_ledger.http.cursors import CURSOR_LENGTH_MAX
from choice_ledger.http.questions import DATA_MAX

Schema: TypeAlias = dict[str, Any]


def _object(required: tuple[str, ...] = (), **members: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": members}


def _said(schema: Schema, description: str) -> Schema:
    return schema | {"description": description}


_INSTANT: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}

USE: Final[Schema] = _object(
    data={
        "type": ["array", "null"],
        "items": {"type": "string", "minLength": 1},
        "maxItems": DATA_MAX,
        "description": "The categories of data to be used; none means all that the terms in force declare.",
    },
    at=_said(_INSTANT, "When the use would happen: RFC 3339, in UTC."),
    known_at=_said(_INSTANT, "What had been recorded by then: RFC 3339, in UTC."),
    after={"type": ["string", "null"], "description": "A position that the answer must include."},
    wait_ms={
        "type": ["integer", "null"],
        "minimum": 0,
        "maximum": WAIT_MS_MAX,
        "description": "How long the answer may wait for that position, in milliseconds.",
    },
)
"""What may stand in a context and in the properties of an action or a resource, beside whatever else does."""

_TEXT: Final[Schema] = {"type": "string"}
_ANYTHING: Final[Schema] = {"type": "object"}

SUBJECT: Final = _object(
    ("type", "id"),
    type=_said(_TEXT, "`recipient`: a disclosure to `id`. `service`: the controller's own use."),
    id=_TEXT,
    properties=_ANYTHING,
)
RESOURCE: Final = _object(
    ("type", "id"),
    type=_said(_TEXT, "`individual`; of any other type nothing is permitted."),
    id=_said(_TEXT, "The individual's pseudonymous id."),
    properties=USE,
)
ACTION: Final = _object(("name",), name=_said(_TEXT, "The key of a purpose."), properties=USE)

_PARTS: Final = {"subject": SUBJECT, "action": ACTION, "resource": RESOURCE, "context": USE}
_PAGE: Final = _object(
    token={"type": "string", "minLength": 1, "maxLength": CURSOR_LENGTH_MAX},
    limit={"type": "integer", "minimum": 0},
    properties=_ANYTHING,
)

EVALUATION: Final = _object(("subject", "action", "resource"), **_PARTS)
"""Section 6.1."""

EVALUATIONS: Final[Schema] = {
    "type": "object",
    "description": "With `evaluations`, the other members are their defaults; without, it is one evaluation.",
    "properties": {
        **_PARTS,
        "evaluations": {
            "type": "array",
            "items": {"description": "What is wrong with one is told in its place, and denies it."},
            "maxItems": EVALUATIONS_MAX,
        },
        "options": _object(evaluations_semantic={"enum": list(SEMANTICS)}),
    },
    "anyOf": [
        {"required": ["subject", "action", "resource"]},
        {"required": ["evaluations"], "properties": {"evaluations": {"minItems": 1}}},
    ],
}
"""Section 7.1. An evaluation that is not as it must be is told in its place: its schema refuses nothing."""


def _of_target(entity: Schema) -> Schema:
    """The entity of which a search asks: its id is not looked at."""
    members = {name: each for name, each in entity["properties"].items() if name != "id"}
    return {**entity, "required": ["type"], "properties": members}


SUBJECT_SEARCH: Final = _object(
    ("subject", "action", "resource"), **{**_PARTS, "subject": _of_target(SUBJECT), "page": _PAGE}
)
"""Section 8.4.1."""

RESOURCE_SEARCH: Final = _object(
    ("subject", "action", "resource"), **{**_PARTS, "resource": _of_target(RESOURCE), "page": _PAGE}
)
"""Section 8.5.1."""

ACTION_SEARCH: Final = _object(
    ("subject", "resource"), subject=SUBJECT, resource=RESOURCE, context=USE, page=_PAGE
)
"""Section 8.6.1."""

DECIDED: Final = msgspec.json.schema(Decided)
"""Section 6.2."""

DECIDED_OR_MANY: Final = {
    "anyOf": [msgspec.json.schema(DecidedMany), DECIDED],
}
"""Section 7.2, and section 6.2 where the request had no evaluations."""

SEARCHED: Final = msgspec.json.schema(Searched)
"""Section 8.3."""
