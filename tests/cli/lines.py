"""Lines to import: any number of opt-outs, in the line format."""

import json
import uuid
from typing import Any

RECORDED = "2026-05-03T09:00:00.000000Z"


def choice_line(number: int, **fields: Any) -> bytes:
    """The line of one opt-out, with an id of its own; a field that is None is left out."""
    line = {
        "type": "ChoiceMade",
        "event_id": str(uuid.UUID(int=number + 1)),
        "tenant": "main",
        "individual": f"person-{number}",
        "occurred_at": RECORDED,
        "recorded_at": RECORDED,
        "decision": "opt_out",
        "purposes": ["website"],
        **fields,
    }
    return json.dumps({name: value for name, value in line.items() if value is not None}).encode()


def choice_lines(count: int) -> bytes:
    """So many lines."""
    return b"".join(choice_line(number) + b"\n" for number in range(count))
