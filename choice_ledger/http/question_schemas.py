"""The JSON Schemas of questions, for the bodies that hold one."""

from collections.abc import Mapping
from typing import Final

from choice_ledger.freshness import WAIT_MS_MAX
from choice_ledger.http.parameters import INDIVIDUAL_SCHEMA, INSTANT_SCHEMA, POSITION_SCHEMA
from choice_ledger.http.questions import DATA_MAX
from events.envelope import NAME_BYTES_MAX

_NAME: Final[Mapping[str, object]] = {
    "type": "string",
    "minLength": 1,
    "maxLength": NAME_BYTES_MAX,
    "pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]+$",
}


def _or_null(schema: Mapping[str, object], description: str) -> dict[str, object]:
    return {"anyOf": [schema, {"type": "null"}], "description": description}


QUESTION_PROPERTIES: Final[Mapping[str, object]] = {
    "individual": {**INDIVIDUAL_SCHEMA, "description": "The individual's pseudonymous id."},
    "purpose": {
        "type": "string",
        "maxLength": NAME_BYTES_MAX,
        "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
        "description": "The purpose's key.",
    },
    "recipient": _or_null(_NAME, "To whom the data goes; null: the controller's own use."),
    "data": {
        "type": "array",
        "items": _NAME,
        "maxItems": DATA_MAX,
        "description": "The categories of data; empty: all that the terms in force declare.",
    },
    "at": _or_null(INSTANT_SCHEMA, "When the use would happen; null: now."),
    "known_at": _or_null(INSTANT_SCHEMA, "On what had been recorded by then; null: on all that is known."),
}
"""The members of a question; ``individual`` and ``purpose`` are required."""

FRESHNESS_PROPERTIES: Final[Mapping[str, object]] = {
    "after": _or_null(POSITION_SCHEMA, "A position that the answer must include."),
    "wait_ms": {
        "type": ["integer", "null"],
        "minimum": 0,
        "maximum": WAIT_MS_MAX,
        "description": "How long to wait for it, in milliseconds; null: as the service is set up.",
    },
}
"""What a body may say of how fresh its answer must be."""
