"""Bodies of requests that record: read strictly, and with every fault of the body told at once.

``events.line_fields`` names the first thing that is wrong. So where something is, it is noted, a value known
to be good is put in its place, and the body is read again, until nothing more is found.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias, get_args

import msgspec

from choice_ledger.http.problems import FAULTS_TOLD_MAX, Fault
from events.envelope import Medium
from events.instants import Micros, format_instant
from events.line_fields import InvalidField, may_be_shown, struct_from
from events.union import Event

Json: TypeAlias = Any
"""Whatever stands in a body."""

MEDIA: Final[tuple[Medium, ...]] = tuple(medium for medium in get_args(Medium) if medium != "link")
"""The media that a client may name; ``link`` is the ledger's own."""

SPEAKERS: Final = ("individual", "guardian", "agent")
"""Who may be said to have spoken (``spoken_by``): all others follow from the token."""

ALWAYS: Final = ("event_id", "medium", "occurred_at", "caused_by")
"""What every body may have beside the event's own fields."""

ANY_ID: Final = "00000000-0000-0000-0000-000000000000"
"""An event id that stands in while a body is read; the event that is recorded has its own."""

_FROM_THE_TOKEN: Final = {
    "tenant": "is no field that may stand here: the tenant follows from the token",
    "actor": "is no field that may stand here: who calls follows from the token, who spoke from `spoken_by`",
    "recorded_at": "is no field that may stand here: the ledger alone says when it recorded something",
}
_STEP: Final = re.compile(r"[^.\[\]]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a body may hold, by the event that it becomes.

    ``fields`` are the event's own that the body has; those of ``open`` may be left out although the event
    needs them. ``flags`` are truth values beside them. ``sample`` holds every field of the event, each good
    by itself, every list with an item: what stands in for what is wrong, or is not the body's to say.
    """

    kind: type[Event]
    fields: tuple[str, ...]
    sample: Mapping[str, Json]
    open: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    spoken: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that a body may have, in the order in which the documentation shows them."""
        return (*self.fields, *self.flags, *ALWAYS, *(("spoken_by",) if self.spoken else ()))


class Written(NamedTuple):
    """A body as it was read. What is wrong stands in ``faults``; a value of the sample is in its place."""

    event: Event
    body: Mapping[str, Json]
    faults: tuple[Fault, ...]

    def given(self, name: str) -> Json:
        """The value of a field as the body has it; none where it is left out, null, or wrong."""
        return None if name in self.wrong else self.body.get(name)

    @property
    def wrong(self) -> frozenset[str]:
        """The fields of the body that something is wrong with, or within."""
        return frozenset(re.split(r"[.\[]", fault.field)[0] for fault in self.faults)


def read_body(document: Json, form: Form, now: Micros) -> Written:
    """The event that a body describes, with a tenant and an id that are not yet its own."""
    if not isinstance(document, Mapping):
        return Written(_event(form.sample, form, now, []), {}, (Fault("", "must be an object"),))
    found = [*_unknown(document, form), *_envelope_faults(document, form)]
    event = _event(document, form, now, found)
    return Written(event, document, tuple(found[:FAULTS_TOLD_MAX]))


def _unknown(document: Mapping[str, Json], form: Form) -> list[Fault]:
    unknown = sorted(name for name in document if name not in form.names)
    faults = [
        Fault(name, _FROM_THE_TOKEN.get(name, "is no field that may stand here"))
        for name in unknown
        if may_be_shown(name)
    ]
    if len(faults) < len(unknown):
        faults.append(Fault("", "holds an unknown field"))
    return faults


def _envelope_faults(document: Mapping[str, Json], form: Form) -> list[Fault]:
    faults = []
    allowed: dict[str, tuple[str, ...]] = {"medium": MEDIA}
    if form.spoken:
        allowed["spoken_by"] = SPEAKERS
    for name, values in allowed.items():
        if document.get(name) is not None and document[name] not in values:
            faults.append(Fault(name, "must be one of " + ", ".join(values)))
    if document.get("event_id") is not None and not _is_uuid(document["event_id"]):
        faults.append(Fault("event_id", "must be a UUID in lower-case text form"))
    wrong_flags = [name for name in form.flags if not isinstance(document.get(name), bool | None)]
    return faults + [Fault(name, "must be true or false") for name in wrong_flags]


def _is_uuid(value: Json) -> bool:
    shape = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    return isinstance(value, str) and re.fullmatch(shape, value, re.ASCII) is not None


def _event(document: Mapping[str, Json], form: Form, now: Micros, faults: list[Fault]) -> Event:
    """The event that the fields make; their faults are added to ``faults``, and mended on the way."""
    sample = {"occurred_at": format_instant(now), "caused_by": ANY_ID, **form.sample}
    fields = _event_fields(document, form, now)
    noted: set[str] = set()
    while len(faults) < FAULTS_TOLD_MAX:
        try:
            return struct_from(fields, form.kind)
        except InvalidField as fault:
            if not noted:
                fields = _copied(fields)
            if fault.field not in noted:
                faults.append(Fault(fault.field, fault.message))
            _mend(fields, fault.field, sample, whole=fault.field in noted)
            noted.add(fault.field)
    return struct_from(_event_fields({}, form, now) | dict(form.sample), form.kind)


def _copied(fields: dict[str, Json]) -> dict[str, Json]:
    """A copy that may be mended: written and read again, which takes a hundredth of a copy in Python."""
    copied: dict[str, Json] = msgspec.json.decode(msgspec.json.encode(fields))
    return copied


def _event_fields(document: Mapping[str, Json], form: Form, now: Micros) -> dict[str, Json]:
    """The fields that the event is made of: the body's, and the sample's where they are not the body's."""
    of_body = [name for name in form.fields if name not in form.open or document.get(name) is not None]
    occurred_at = document.get("occurred_at")
    return {
        "event_id": ANY_ID,
        "tenant": "main",
        "occurred_at": format_instant(now) if occurred_at is None else occurred_at,
        "caused_by": document.get("caused_by"),
        **{name: value for name, value in form.sample.items() if name not in of_body},
        **{name: document[name] for name in of_body if name in document},
    }


def _mend(fields: dict[str, Json], path: str, sample: Mapping[str, Json], *, whole: bool) -> None:
    """Put what is known to be good at a path; the whole field where that did not help before."""
    steps = [int(step) if step.isdecimal() else step for step in _STEP.findall(path)]
    if whole:
        fields[str(steps[0])] = copy.deepcopy(sample[str(steps[0])])
        return
    holder: Json = fields
    good: Json = sample
    for step in steps[:-1]:
        holder, good = holder[step], _part(good, step)
    last = steps[-1]
    if last in holder and isinstance(holder, dict) and last not in good:
        del holder[last]  # A field that is not known.
        return
    value = holder[last] if isinstance(holder, list) else holder.get(last)
    unknown = _unknown_names(value, _part(good, last))
    for name in unknown:
        del value[name]
    if not unknown:
        holder[last] = copy.deepcopy(_part(good, last))


def _part(good: Json, step: str | int) -> Json:
    """The sample's value there; the first item of its list is good in any place."""
    return good[0] if isinstance(step, int) else good[step]


def _unknown_names(value: Json, good: Json) -> list[str]:
    """The names in an object that the sample's does not have."""
    if isinstance(value, dict) and isinstance(good, Mapping):
        return [name for name in value if name not in good]
    return []
