"""The entities of AuthZEN: subject, action, resource and context, as a request brings them.

Source: OpenID Authorization API 1.0, sections 5 and 6. Members that are not known are ignored, because
section 10.1.1 has it so: "receivers MUST ignore unknown fields".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from choice_ledger.http.problems import Fault

PROPERTIES_BYTES_MAX: Final = 16_384
"""Bytes, as JSON, of one ``properties`` or ``context``."""

JsonObject: TypeAlias = Mapping[str, Any]
Target: TypeAlias = Literal["subject", "resource", "action"]
"""What a search looks for."""

Faults: TypeAlias = list[Fault]

NOTHING: Final[JsonObject] = {}
"""An object without members: what absent properties and an absent context are."""


class Entity(NamedTuple):
    """A subject or a resource: ``id`` is unique among those of its ``type``."""

    type: str
    id: str
    properties: JsonObject = NOTHING


class Action(NamedTuple):
    """What the subject means to do."""

    name: str
    properties: JsonObject = NOTHING


class Parts(NamedTuple):
    """Those of the four entities that a JSON object brings."""

    subject: Entity | None = None
    action: Action | None = None
    resource: Entity | None = None
    context: JsonObject | None = None

    def over(self, defaults: "Parts") -> "Parts":
        """These, and the defaults for those that are absent: each stands or falls as a whole."""
        return Parts(
            subject=self.subject or defaults.subject,
            action=self.action or defaults.action,
            resource=self.resource or defaults.resource,
            context=defaults.context if self.context is None else self.context,
        )


class Request(NamedTuple):
    """A whole request: may the subject do the action to the resource, in that context?"""

    subject: Entity
    action: Action
    resource: Entity
    context: JsonObject


def parts_of(document: object, faults: Faults, where: str = "", target: Target | None = None) -> Parts:
    """The entities of a JSON object at ``where`` in the request; what is wrong goes to ``faults``.

    Of the entity that is the ``target`` of a search, the type alone is read, and of an action nothing.
    """
    if not isinstance(document, dict):
        faults.append(Fault(where.rstrip("."), "must be a JSON object"))
        return Parts()
    return Parts(
        subject=_entity(document, "subject", faults, where, is_id_read=target != "subject"),
        action=_action(document, faults, where) if target != "action" else Action(""),
        resource=_entity(document, "resource", faults, where, is_id_read=target != "resource"),
        context=bounded_object(document, "context", faults, where) if "context" in document else None,
    )


def whole(parts: Parts, faults: Faults, where: str = "") -> Request | None:
    """The request that the parts make; none, and a fault for each that is missing, where they make none."""
    subject, action, resource, context = parts
    if subject is None or action is None or resource is None:
        told = {fault.field.removeprefix(where).partition(".")[0] for fault in faults}
        named = {"subject": subject, "action": action, "resource": resource}
        missing = (name for name, part in named.items() if part is None and name not in told)
        faults.extend(Fault(where + name, "is missing") for name in missing)
        return None
    return Request(subject, action, resource, NOTHING if context is None else context)


def _entity(
    document: JsonObject, name: str, faults: Faults, where: str, *, is_id_read: bool
) -> Entity | None:
    members = _member(document, name, faults, where)
    if members is None:
        return None
    place = f"{where}{name}."
    type_ = _text(members, "type", faults, place)
    id_ = _text(members, "id", faults, place) if is_id_read else ""
    properties = bounded_object(members, "properties", faults, place)
    if type_ is None or id_ is None:
        return None
    return Entity(type_, id_, properties)


def _action(document: JsonObject, faults: Faults, where: str) -> Action | None:
    members = _member(document, "action", faults, where)
    if members is None:
        return None
    name = _text(members, "name", faults, f"{where}action.")
    properties = bounded_object(members, "properties", faults, f"{where}action.")
    return None if name is None else Action(name, properties)


def _member(document: JsonObject, name: str, faults: Faults, where: str) -> JsonObject | None:
    if name not in document:
        return None
    members = document[name]
    if isinstance(members, dict):
        return members
    faults.append(Fault(where + name, "must be a JSON object"))
    return None


def _text(members: JsonObject, name: str, faults: Faults, where: str) -> str | None:
    value = members.get(name)
    if isinstance(value, str):
        return value
    faults.append(Fault(where + name, "must be a text" if name in members else "is missing"))
    return None


def bounded_object(members: JsonObject, name: str, faults: Faults, where: str) -> JsonObject:
    """An object of at most ``PROPERTIES_BYTES_MAX``; an absent one has no members."""
    if name not in members:
        return NOTHING
    value: object = members[name]
    if not isinstance(value, dict):
        faults.append(Fault(where + name, "must be a JSON object"))
        return NOTHING
    if len(msgspec.json.encode(value)) > PROPERTIES_BYTES_MAX:
        faults.append(Fault(where + name, f"must be at most {PROPERTIES_BYTES_MAX} bytes of JSON"))
        return NOTHING
    return value


def sentence_of(faults: Sequence[Fault]) -> str:
    """All that is wrong, in one line for people. It repeats no value of the request."""
    return "; ".join(f"`{fault.field}` {fault.message}" if fault.field else fault.message for fault in faults)
