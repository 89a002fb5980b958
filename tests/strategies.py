"""Hypothesis strategies for every event type: `events()`, `recorded()` and their parts.

A strategy follows from a field's name and declared type, so an event type that is added is covered at once,
and a field of a new kind fails here until it is given a strategy.
"""

import types
import unicodedata
import uuid
from collections.abc import Callable
from typing import Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from events.envelope import InvalidEvent, check_individual, check_name
from events.instants import DAY, DURATION_MAX, INSTANT_MAX, INSTANT_MIN
from events.union import EVENT_TYPES, Event, Recorded

NAME_CHARACTERS = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])
TEXT_CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXT_CHARACTERS_MAX = 40
LIST_ITEMS_MAX = 3


def _passes(check: Callable[[str], None]) -> Callable[[str], bool]:
    def passes(value: str) -> bool:
        try:
            check(value)
        except InvalidEvent:
            return False
        return True

    return passes


uuids = st.uuids().map(str)
tenants = st.from_regex(r"[a-z0-9][a-z0-9-]{0,8}", fullmatch=True)
keys = st.from_regex(r"[A-Za-z0-9_-]{1,5}(\.[A-Za-z0-9_-]{1,5}){0,2}", fullmatch=True)
selectors = keys | st.just("*")
# Words that mean something to Avro: a name that is one of them is a name all the same.
AVRO_WORDS = ("null", "string", "array", "record", "type", "Actor", "org.choiceledger.events.Actor")
names = st.sampled_from(AVRO_WORDS) | (
    st.text(NAME_CHARACTERS, min_size=1, max_size=20)
    .map(lambda text: unicodedata.normalize("NFC", text))
    .filter(_passes(lambda text: check_name("name", text)))
)
individuals = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True) | names.filter(_passes(check_individual))
texts = st.text(TEXT_CHARACTERS, max_size=TEXT_CHARACTERS_MAX)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
instants = st.integers(1_500_000_000_000_000, 1_900_000_000_000_000) | st.integers(INSTANT_MIN, INSTANT_MAX)
durations = st.sampled_from((0, 1, DAY, 30 * DAY, DURATION_MAX)) | st.integers(0, DURATION_MAX)
versions = st.integers(1, 5) | st.integers(1, 2**31 - 1)
ciphertexts = st.binary(max_size=64)

BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("event_id", "caused_by", "generation", "intent_id"), uuids),
    **dict.fromkeys(("sha256", "draft_sha256", "wording_sha256"), digests),
    **dict.fromkeys(("occurred_at", "effective_at", "from", "to", "at", "due_at"), instants),
    **dict.fromkeys(("choice_period", "valid_for"), durations),
    **dict.fromkeys(("title", "summary", "contact", "legal_basis", "legal_reference", "comment"), texts),
    **dict.fromkeys(("why", "how", "reason", "about", "applied"), texts),
    "detail": texts.filter(lambda text: "@" not in text),
    "tenant": tenants,
    "version": versions,
    "meaning": st.integers(0, 2**31 - 1),
    "ciphertext": ciphertexts,
    "key": keys,
    "purpose": keys,
    "individual": individuals,
    "other": individuals,
    "id": individuals,
    **dict.fromkeys(
        ("notice_id", "policy_id", "restriction_id", "request_id", "complaint_id", "mandate_id"), names
    ),
    **dict.fromkeys(("framework", "what", "jurisdiction", "locale", "recipient", "service", "name"), names),
    **dict.fromkeys(("stage", "holder", "field", "kind", "position"), names),
}
"""What stands in a field of that name, where its type alone does not say it."""

IN_LISTS: dict[str, st.SearchStrategy[Any]] = {
    "purposes": keys,
    "gpc_purposes": selectors,
    "replaces": keys,
    "recipients": names,
    "populations": names,
    "data": names,
    "evidence": uuids,
}
"""What stands in a list of texts of that name."""

IN_MAPS: dict[str, st.SearchStrategy[Any]] = {"versions": versions, "wording": digests}
"""What each name of a map of that name leads to."""

BY_FIELD: dict[tuple[str, str], st.SearchStrategy[Any]] = {
    ("ReliedDecision", "reason"): names,
    ("PersonalDataRead", "purpose"): names,
    ("ReliedDecision", "position"): texts,
}
"""Where a struct gives a name a meaning of its own."""


def structs(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Every value of a struct type that its checks let pass."""
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for info in msgspec.structs.fields(kind):
        strategy = _field(kind, info.encode_name, info.type)
        (required if info.required else optional)[info.name] = strategy
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: kind(**fields))


def _field(kind: type[msgspec.Struct], name: str, type_: Any) -> st.SearchStrategy[Any]:
    origin: object = get_origin(type_)
    if origin is Union or origin is types.UnionType:
        inner = next(member for member in get_args(type_) if member is not type(None))
        return st.none() | _field(kind, name, inner)
    if origin is Literal:
        return st.sampled_from(get_args(type_))
    if origin is tuple:
        return st.lists(_item(name, get_args(type_)[0]), max_size=LIST_ITEMS_MAX).map(tuple)
    if origin is dict:
        return st.dictionaries(names, IN_MAPS[name], max_size=LIST_ITEMS_MAX)
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return structs(type_)
    if type_ is bool:
        return st.booleans()
    return BY_FIELD.get((kind.__name__, name), BY_NAME[name])


def _item(name: str, type_: Any) -> st.SearchStrategy[Any]:
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return structs(type_)
    return IN_LISTS[name]


def events(*kinds: type[Event]) -> st.SearchStrategy[Event]:
    """Valid events of the named types, or of any type."""
    return st.one_of([structs(kind) for kind in kinds or EVENT_TYPES.values()])


def recorded(*kinds: type[Event]) -> st.SearchStrategy[Recorded]:
    """Valid events as the log holds them: `recorded_at` is `occurred_at` or later."""
    return st.builds(
        lambda event, later: Recorded(event, min(event.occurred_at + later, INSTANT_MAX)),
        events(*kinds),
        st.integers(0, 400 * DAY),
    )


def uuid_of(number: int) -> str:
    """The UUID that a number stands for, where a test wants ids it can read."""
    return str(uuid.UUID(int=number))
