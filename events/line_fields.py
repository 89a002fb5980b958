"""From the fields of a line to a checked struct, with every fault named by its path (``purposes[2].title``).

A *plan* says what a line's form of a struct has that the struct itself does not: which numbers are written as
instants or durations, which structs lie within, and what may be left out.
"""

import re
import types
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar, Union, get_args, get_origin

import msgspec

from events.envelope import InvalidEvent
from events.instants import Micros, format_duration, format_instant, parse_duration, parse_instant

Fields: TypeAlias = dict[str, Any]
"""The fields of a line, or of a struct within it, by the names that ``events.md`` gives them."""

INSTANT_FIELDS: Final = frozenset({"occurred_at", "effective_at", "from", "to", "at", "due_at"})
"""Fields that a line writes as RFC 3339 text in UTC."""

DURATION_FIELDS: Final = frozenset({"choice_period", "valid_for"})
"""Fields that a line writes as ISO 8601 durations."""

FIELD_NAME_SHOWN_MAX: Final = 64
"""Characters of an unknown field's name that an error repeats; a longer name is no slip of the pen."""

_JSON_WORDS: Final = {
    "array": "a list",
    "bool": "true or false",
    "int": "an integer",
    "object": "an object",
    "str": "text",
}
"""The types of JSON, as msgspec names them and as ``events.md`` does."""

_INSTANT_TEXT: Final = (parse_instant, format_instant)
_DURATION_TEXT: Final = (parse_duration, format_duration)

Json: TypeAlias = Any
"""Whatever stands in a line."""

Annotation: TypeAlias = Any
"""The declared type of a field."""

_S = TypeVar("_S", bound=msgspec.Struct)


class InvalidField(ValueError):
    """What is wrong with a field, named by its path from the struct; empty for the whole of it."""

    def __init__(self, field: str, message: str) -> None:
        """Name the field and say what it must be; neither repeats a value."""
        super().__init__(f"`{field}` {message}" if field else message)
        self.field = field
        self.message = message


class Plan(NamedTuple):
    """How a line's form of one struct type is read and written."""

    names: frozenset[str]
    optional: frozenset[str]
    texts: tuple[tuple[str, Callable[[str], Micros], Callable[[Micros], str]], ...]
    within: tuple[tuple[str, "Plan", bool], ...]
    choices: Mapping[str, tuple[str, ...]]
    maps: tuple[str, ...]


def struct_from(fields: Mapping[str, Any], kind: type[_S]) -> _S:
    """The struct that a line's fields stand for. Null says the default of a field that has one.

    Raises InvalidField; leaves ``fields`` as they are.
    """
    plan = plan_of(kind)
    try:
        return msgspec.convert(_plain(fields, plan, ""), kind)
    except msgspec.ValidationError as fault:
        raise _invalid(fault, plan) from None


def fields_of(struct: msgspec.Struct) -> Fields:
    """The line's form of a struct: every field, defaults included, maps sorted by key."""
    fields: Fields = msgspec.to_builtins(struct)
    return _written(fields, plan_of(type(struct)))


def plan_of(kind: type[msgspec.Struct]) -> Plan:
    """The plan of a struct type, made once."""
    if kind not in _PLANS:
        _PLANS[kind] = _plan(kind)
    return _PLANS[kind]


_PLANS: Final[dict[type[msgspec.Struct], Plan]] = {}


def _plan(kind: type[msgspec.Struct]) -> Plan:
    infos = msgspec.structs.fields(kind)
    types_ = {info.encode_name: _without_null(info.type) for info in infos}
    return Plan(
        names=frozenset(types_),
        optional=frozenset(info.encode_name for info in infos if not info.required),
        texts=tuple(
            (name, *(_INSTANT_TEXT if name in INSTANT_FIELDS else _DURATION_TEXT))
            for name in types_
            if name in INSTANT_FIELDS | DURATION_FIELDS
        ),
        within=tuple(row for name, type_ in types_.items() if (row := _within(name, type_)) is not None),
        choices={name: get_args(type_) for name, type_ in types_.items() if get_origin(type_) is Literal},
        maps=tuple(name for name, type_ in types_.items() if get_origin(type_) is dict),
    )


def _without_null(type_: Annotation) -> Annotation:
    origin: object = get_origin(type_)
    if origin is Union or origin is types.UnionType:
        return next(member for member in get_args(type_) if member is not type(None))
    return type_


def _within(name: str, type_: Annotation) -> tuple[str, Plan, bool] | None:
    origin: object = get_origin(type_)
    many = origin is tuple
    inner = get_args(type_)[0] if many else type_
    if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        return name, plan_of(inner), many
    return None


def _plain(fields: Json, plan: Plan, path: str) -> Json:
    """The fields as the struct has them: numbers for texts, nothing for null, nothing unknown."""
    if not isinstance(fields, Mapping):
        return fields  # The struct's own check says what it expected instead.
    plain = {name: value for name, value in fields.items() if value is not None or name not in plan.optional}
    if not plain.keys() <= plan.names:
        raise _unknown(plain.keys() - plan.names, path)
    for name, parse, _ in plan.texts:
        if name in plain:
            plain[name] = _parsed(plain[name], parse, path + name)
    for name, inner, many in plan.within:
        value = plain.get(name)
        if many and isinstance(value, list | tuple):
            plain[name] = [_plain(item, inner, f"{path}{name}[{at}].") for at, item in enumerate(value)]
        elif value is not None:
            plain[name] = _plain(value, inner, f"{path}{name}.")
    return plain


def _parsed(value: Json, parse: Callable[[str], Micros], path: str) -> Micros:
    if value is None:
        raise InvalidField(path, "is required")
    if not isinstance(value, str):
        raise InvalidField(path, "must be text, not a number or anything else")
    try:
        return parse(value)
    except ValueError as fault:
        raise InvalidField(path, str(fault)) from None


def may_be_shown(name: str) -> bool:
    """Whether an unknown field's name is short and looks like one, so that an error may repeat it."""
    return name.isascii() and name.isidentifier() and len(name) <= FIELD_NAME_SHOWN_MAX


def _unknown(names: set[Any], path: str) -> InvalidField:
    """Name the first unknown field, where its name looks like one: keys too may hold what they should not."""
    name = min(str(name) for name in names)
    if may_be_shown(name):
        return InvalidField(path + name, "is no field that may stand here")
    return InvalidField(path.rstrip("."), "holds an unknown field")


def _written(fields: Fields, plan: Plan) -> Fields:
    for name, _, format_ in plan.texts:
        if fields[name] is not None:
            fields[name] = format_(fields[name])
    for name in plan.maps:
        if fields[name]:
            fields[name] = dict(sorted(fields[name].items()))
    for name, inner, many in plan.within:
        value = fields[name]
        if value is not None:
            fields[name] = [_written(item, inner) for item in value] if many else _written(value, inner)
    return fields


def _invalid(fault: msgspec.ValidationError, plan: Plan) -> InvalidField:
    said, _, place = str(fault).partition(" - at `")
    path = place.rpartition("`$")[2] if place.startswith("key` in ") else place.removeprefix("$")
    path = path.rstrip("`").removeprefix(".").replace("[...]", "")
    if isinstance(fault.__cause__, InvalidEvent):
        return InvalidField(_joined(path, fault.__cause__.field), fault.__cause__.message)
    return InvalidField(*_msgspec_said(said, path, plan))


def _joined(path: str, field: str) -> str:
    """The path of a struct and of a field in it, where the field may begin with the struct's own name."""
    own = path.rpartition(".")[2].partition("[")[0]
    inner = field.removeprefix(f"{own}.") if own else field
    return f"{path}.{inner}" if path else inner


def _msgspec_said(said: str, path: str, plan: Plan) -> tuple[str, str]:
    """The messages of msgspec in our words; only those known to repeat no value are passed on."""
    missing = said.removeprefix("Object missing required field `")
    if missing != said:
        return _joined(path, missing.rstrip("`")), "is required"
    if said.startswith("Expected "):
        return path, "must be " + _in_words(said.removeprefix("Expected ").partition(", got ")[0])
    if said.startswith("Invalid enum value"):
        return path, "must be one of " + ", ".join(_choices_at(path, plan))
    if said.startswith("Invalid base64"):
        return path, "must be bytes in base64"
    return path, "is no value that this field may have"


def _in_words(expected: str) -> str:
    """What msgspec expected (such as ``int | null``), with the types' names as people know them."""
    return re.sub(r"\w+", lambda name: _JSON_WORDS.get(name[0], name[0]), expected.replace("`", "")).replace(
        " | ", " or "
    )


def _choices_at(path: str, plan: Plan) -> tuple[str, ...]:
    *outer, name = path.split(".")
    for step in outer:
        plan = next(inner for within, inner, _ in plan.within if within == step.partition("[")[0])
    return plan.choices[name]
