"""The JSON Schema of an event as a line, for the answers that hold events."""

from collections.abc import Mapping
from typing import Final, get_args

from choice_ledger.http.parameters import INSTANT_SCHEMA
from events.envelope import ActorKind, Medium
from events.union import EVENT_TYPES

_ID: Final[Mapping[str, object]] = {"type": "string", "format": "uuid"}

EVENT_SCHEMA: Final[Mapping[str, object]] = {
    "type": "object",
    "description": "An event in the line format: what every event carries, and its type's own fields.",
    "required": ["type", "recorded_at", "event_id", "tenant", "occurred_at", "actor", "medium", "caused_by"],
    "properties": {
        "type": {"enum": sorted(EVENT_TYPES)},
        "recorded_at": INSTANT_SCHEMA,
        "event_id": _ID,
        "tenant": {"type": "string"},
        "occurred_at": INSTANT_SCHEMA,
        "actor": {
            "type": "object",
            "required": ["kind", "id"],
            "properties": {
                "kind": {"enum": list(get_args(ActorKind))},
                "id": {"type": ["string", "null"]},
            },
        },
        "medium": {"enum": list(get_args(Medium))},
        "caused_by": {"anyOf": [_ID, {"type": "null"}]},
    },
}
"""An event as ``export`` writes it; the fields of each type stand in the reference of the events."""

EVENT_DEFINITION: Final = {"$defs": {"EventLine": EVENT_SCHEMA}}
"""The same as a definition, for schemas that refer to ``#/$defs/EventLine``."""

EVENT: Final[Mapping[str, object]] = {"$ref": "#/$defs/EventLine"}
"""What such a schema refers to it by."""
