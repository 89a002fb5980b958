"""The headers that make a Kafka record a CloudEvent: version 1.0, binary content mode.

Source: "Kafka Protocol Binding for CloudEvents", 3.2: each attribute is a header ``ce_<name>`` in UTF-8, and
``datacontenttype`` is the header ``content-type``. The individual stands in none of them: headers are copied
into logs and dashboards more freely than keys are.
"""

from functools import lru_cache
from typing import Final, TypeAlias

from events.codec import fingerprint_of
from events.instants import format_instant
from events.streams import Stream, stream_of
from events.union import Event, Recorded

Headers: TypeAlias = list[tuple[str, bytes]]
"""Kafka record headers, in order."""

SPECVERSION: Final = "1.0"
"""The version of CloudEvents."""

CONTENT_TYPE: Final = "application/avro"
"""What the value is: Avro, in the single-object encoding."""

TYPE_PREFIX: Final = "org.choiceledger.events."
"""Stands before the event type's name, as in the full name of its schema."""

SCHEMA_PREFIX: Final = "urn:choice-ledger:schema:"
"""Stands before the fingerprint of the schema, in hexadecimal as its bytes stand in the value."""


SHARED_MAX: Final = 1_024
"""Pairs of an event type and a tenant whose common headers are kept at hand."""


def headers(recorded: Recorded) -> Headers:
    """The headers of one record. ``ce_time`` is when it happened in the world (``occurred_at``).

    ``ce_source`` names the stream and tenant; with it, ``ce_id`` names the event for any tracing tool.
    """
    event = recorded.event
    return [
        ("ce_id", event.event_id.encode()),
        ("ce_time", format_instant(event.occurred_at).encode()),
        *_shared(type(event), stream_of(event), event.tenant),
    ]


@lru_cache(SHARED_MAX)
def _shared(kind: type[Event], stream: Stream, tenant: str) -> Headers:
    """The headers that all events of one type and tenant have in common."""
    attributes = {
        "ce_specversion": SPECVERSION,
        "ce_source": f"/choice-ledger/{stream}/{tenant}",
        "ce_type": TYPE_PREFIX + kind.__name__,
        "ce_dataschema": SCHEMA_PREFIX + fingerprint_of(kind).hex(),
        "content-type": CONTENT_TYPE,
    }
    return [(name, value.encode()) for name, value in attributes.items()]
