"""What a record says of itself on Kafka: CloudEvents 1.0 in binary mode, so that others can route it.

Headers name no person: the individual's pseudonymous id stands in the key alone. The ledger itself reads the
value only; headers are a courtesy and never trusted.
"""

from typing import Final

from events.codec import fingerprint_of
from events.instants import format_instant
from events.union import Recorded
from ledger.kafka_client import Header

CONTENT_TYPE: Final = b"application/vnd.apache.avro.single-object"
"""Avro single-object encoding: the schema's fingerprint stands in the value."""

TYPE_PREFIX: Final = "org.choice-ledger."
SCHEMA_PREFIX: Final = "urn:choice-ledger:avro:"


def headers_of(recorded: Recorded, generation: str) -> tuple[Header, ...]:
    """The headers of a recorded event in the ledger of that generation.

    An event id is unique within its tenant and individual, so the source names the tenant.
    """
    event = recorded.event
    return (
        ("ce_specversion", b"1.0"),
        ("ce_id", event.event_id.encode()),
        ("ce_source", f"urn:choice-ledger:{generation}:{event.tenant}".encode()),
        ("ce_type", f"{TYPE_PREFIX}{type(event).__name__}".encode()),
        ("ce_time", format_instant(event.occurred_at).encode()),
        ("ce_dataschema", f"{SCHEMA_PREFIX}{fingerprint_of(type(event)).hex()}".encode()),
        ("content-type", CONTENT_TYPE),
    )
