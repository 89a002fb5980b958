"""The Avro schemas that records were written with: one file per event type, and every one it superseded.

``events/schemas/<Type>.avsc`` writes; ``events/schemas/released/<Type>.v<n>.avsc`` is kept for ever, so that
what was once written stays readable. A schema's attribute ``version`` counts the versions of one type.
"""

import json
from importlib import resources
from typing import Any, Final, NamedTuple, TypeAlias

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from events.canonical_bytes import Schema, Walk, walk_of

SINGLE_OBJECT_MARKER: Final = b"\xc3\x01"
"""The two bytes that begin an Avro single-object encoding, version 1."""

FINGERPRINT_ALGORITHM: Final = "CRC-64-AVRO"
"""The algorithm that the single-object encoding asks for; eight bytes, little-endian."""

Parsed: TypeAlias = dict[str, Any]
"""A schema as JSON, or as fastavro wants it."""


class WriterSchema(NamedTuple):
    """One version of one event type's schema, ready for coding."""

    type_name: str
    version: int
    source: Parsed
    fingerprint: bytes
    coding: Parsed
    walk: Walk

    @property
    def header(self) -> bytes:
        """The ten bytes that a record written with this schema begins with."""
        return SINGLE_OBJECT_MARKER + self.fingerprint


def load_schema(type_name: str, superseded_version: int | None = None) -> WriterSchema:
    """The schema that writes a type now, or the released version that it superseded.

    Raises FileNotFoundError where the package has no such file.
    """
    name = f"{type_name}.avsc"
    if superseded_version is not None:
        name = f"released/{type_name}.v{superseded_version}.avsc"
    text = resources.files("events").joinpath("schemas", name).read_text(encoding="utf-8")
    return writer_schema(json.loads(text))


def writer_schema(source: Parsed) -> WriterSchema:
    """What coding needs of a schema given as JSON."""
    plain = without_logical_types(source)
    return WriterSchema(
        type_name=source["name"],
        version=source["version"],
        source=source,
        fingerprint=bytes.fromhex(fingerprint(to_parsing_canonical_form(source), FINGERPRINT_ALGORITHM)),
        coding=parse_schema(plain),  # type: ignore[arg-type]  # A record schema stays a dict.
        walk=walk_of(plain),
    )


def without_logical_types(schema: Schema) -> Schema:
    """The same schema for coding plain integers: a logical type would make datetimes of instants."""
    if isinstance(schema, dict):
        return {key: without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [without_logical_types(item) for item in schema]
    return schema
