"""Schemas as the OpenAPI document holds them: definitions in one place, unions as one of their members."""

from typing import Any, Literal

import msgspec
import pytest

from choice_ledger.http.components import PREFIX, Components, SchemasDiffer


class Cat(msgspec.Struct, tag_field="kind", tag="cat"):
    """A member of a tagged union."""

    lives: int


class Dog(msgspec.Struct, tag_field="kind", tag="dog"):
    """Another."""

    name: str


class Home(msgspec.Struct):
    """Refers to both, in a list."""

    pets: list[Cat | Dog]


def refs(schema: object) -> set[str]:
    """Every reference in a schema."""
    match schema:
        case dict():
            own = {schema["$ref"]} if isinstance(schema.get("$ref"), str) else set()
            return own.union(*(refs(part) for part in schema.values()))
        case list():
            return set[str]().union(*(refs(part) for part in schema))
        case _:
            return set()


def test_definitions_move_to_the_components() -> None:
    """What msgspec defines beside a schema stands under `components`, and every reference leads there."""
    components = Components()
    schema = components.taken(msgspec.json.schema(Home))
    assert schema == {"$ref": f"{PREFIX}Home"}
    assert list(components.schemas()) == ["Cat", "Dog", "Home"]
    assert refs(components.schemas()) == {f"{PREFIX}Cat", f"{PREFIX}Dog"}


def test_a_tagged_union_is_exactly_one_of_its_members() -> None:
    """A union with a discriminator becomes a `oneOf`, its mapping leads to the components."""
    components = Components()
    components.taken(msgspec.json.schema(Home))
    union = components.schemas()["Home"]["properties"]["pets"]["items"]
    assert "anyOf" not in union
    assert union["oneOf"] == [{"$ref": f"{PREFIX}Cat"}, {"$ref": f"{PREFIX}Dog"}]
    assert union["discriminator"]["mapping"] == {"cat": f"{PREFIX}Cat", "dog": f"{PREFIX}Dog"}


def test_a_union_without_tags_stays_as_it_is() -> None:
    """Members that may overlap, such as a text or nothing, are not said to exclude each other."""
    schema = Components().taken({"anyOf": [{"type": "string"}, {"type": "null"}]})
    assert schema == {"anyOf": [{"type": "string"}, {"type": "null"}]}


def test_one_definition_may_come_twice() -> None:
    """Two rows that name one type share its schema."""
    components = Components()
    assert components.taken(msgspec.json.schema(Cat)) == components.taken(msgspec.json.schema(Cat))
    assert list(components.schemas()) == ["Cat"]


def test_two_definitions_of_one_name_are_refused() -> None:
    """Two types of one name would silently answer for each other, so making the document fails."""
    components = Components()
    components.add("Cat", msgspec.json.schema(Literal["a"]))
    with pytest.raises(SchemasDiffer, match="`Cat` is defined in two ways") as caught:
        components.add("Cat", msgspec.json.schema(Literal["b"]))
    assert caught.value.name == "Cat"


@pytest.mark.parametrize("schema", [True, {}, {"type": ["string", "null"]}, {"const": None}], ids=str)
def test_a_schema_without_definitions_is_kept(schema: Any) -> None:
    """What refers to nothing is the same afterwards."""
    assert Components().taken(schema) == schema


def test_what_was_given_is_not_changed() -> None:
    """The rows' own schemas stay as they were: they are read again."""
    given = msgspec.json.schema(Home)
    before = msgspec.json.encode(given)
    Components().taken(given)
    assert msgspec.json.encode(given) == before
