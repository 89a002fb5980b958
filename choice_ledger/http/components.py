"""Schemas that more than one place of the OpenAPI document names: found, moved to one place, and named there.

Rows bring JSON Schemas as msgspec makes them: definitions stand beside the schema (``$defs``), and a union of
tagged Structs is an ``anyOf`` with a discriminator. A document has its definitions under ``components``, and
a union whose members exclude each other is a ``oneOf``.
"""

from collections.abc import Mapping
from typing import Any, Final

PREFIX: Final = "#/components/schemas/"
"""Where the document keeps the schemas that are named."""

_DEFINITIONS: Final = "#/$defs/"


class SchemasDiffer(ValueError):
    """Two definitions have one name: rename one of the types."""

    def __init__(self, name: str) -> None:
        """Name what is defined twice."""
        super().__init__(f"`{name}` is defined in two ways; rename one of the two types")
        self.name = name


class Components:
    """The schemas that a document names, gathered from the rows while the document is made."""

    def __init__(self) -> None:
        """Begin with none."""
        self._schemas: dict[str, Any] = {}

    def add(self, name: str, schema: Mapping[str, object]) -> dict[str, str]:
        """Keep a schema by its name, and say how it is referred to. Raises SchemasDiffer."""
        kept = self.taken(schema)
        if self._schemas.setdefault(name, kept) != kept:
            raise SchemasDiffer(name)
        return {"$ref": PREFIX + name}

    def taken(self, schema: object) -> Any:  # noqa: ANN401 - a JSON Schema, as it stands
        """The schema as it stands in the document; what it defines is kept here. Raises SchemasDiffer."""
        match schema:
            case Mapping():
                for name, definition in schema.get("$defs", {}).items():
                    self.add(name, definition)
                return self._renamed({k: self.taken(v) for k, v in schema.items() if k != "$defs"})
            case list() | tuple():
                return [self.taken(part) for part in schema]
            case str() if schema.startswith(_DEFINITIONS):
                return PREFIX + schema.removeprefix(_DEFINITIONS)
            case _:
                return schema

    def schemas(self) -> dict[str, Any]:
        """Every schema that was kept, in the order of the names."""
        return dict(sorted(self._schemas.items()))

    @staticmethod
    def _renamed(schema: dict[str, Any]) -> dict[str, Any]:
        """The schema with a union of tagged members said as what it is: exactly one of them."""
        if "anyOf" not in schema or "discriminator" not in schema:
            return schema
        return {("oneOf" if name == "anyOf" else name): part for name, part in schema.items()}
