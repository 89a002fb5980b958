"""AuthZEN's entities, as they are read from JSON."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choice_ledger.http.authzen_entities import (
    NOTHING,
    PROPERTIES_BYTES_MAX,
    Action,
    Entity,
    Faults,
    Parts,
    Request,
    parts_of,
    sentence_of,
    whole,
)
from choice_ledger.http.problems import Fault

WHOLE = {
    "subject": {"type": "recipient", "id": "adco", "properties": {"a": 1}},
    "action": {"name": "mail", "properties": {"b": 2}},
    "resource": {"type": "individual", "id": "ana", "properties": {"c": 3}},
    "context": {"d": 4},
}
REQUEST = Request(
    Entity("recipient", "adco", {"a": 1}),
    Action("mail", {"b": 2}),
    Entity("individual", "ana", {"c": 3}),
    {"d": 4},
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = ("subject", "action", "resource", "context", "type", "id", "name", "properties", "other")
documents = st.recursive(
    json_values, lambda inner: st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4), max_leaves=12
)


def read(document: object, where: str = "", **more: Any) -> tuple[Parts, list[str]]:
    """The parts of a document, and the fields that are at fault."""
    faults: Faults = []
    parts = parts_of(document, faults, where, **more)
    return parts, [fault.field for fault in faults]


def test_a_whole_request_is_read() -> None:
    """Every entity is read with its properties, and together they are a request."""
    faults: Faults = []
    assert whole(parts_of(WHOLE, faults), faults) == REQUEST
    assert faults == []


def test_what_is_absent_is_none() -> None:
    """An object without entities has no parts, and nothing is wrong with that yet."""
    assert read({"other": 1}) == (Parts(), [])


def test_absent_properties_and_context_are_empty() -> None:
    """A request without properties and context has those, empty."""
    bare = {
        "subject": {"type": "s", "id": "1"},
        "action": {"name": "a"},
        "resource": {"type": "r", "id": "2"},
    }
    request = whole(parts_of(bare, []), [])
    assert request == Request(Entity("s", "1"), Action("a"), Entity("r", "2"), NOTHING)


@pytest.mark.parametrize("target", ["subject", "resource"])
def test_the_id_of_a_searchs_target_is_not_looked_at(target: Any) -> None:
    """Of the entity that is searched the id may be absent, or anything at all: it is not read."""
    for id_ in ({}, {"id": "x"}, {"id": 7}, {"id": None}):
        document = {**WHOLE, target: {"type": "t", **id_}}
        parts, fields = read(document, target=target)
        assert fields == []
        assert getattr(parts, target) == Entity("t", "")
        assert read({**WHOLE, target: {**id_}}, target=target)[1] == [f"{target}.type"]


def test_the_action_of_an_action_search_is_not_looked_at() -> None:
    """An action that stands in an action search is a member that nobody knows."""
    for action in ("x", {}, None, {"name": "mail"}):
        assert read({**WHOLE, "action": action}, target="action")[0].action == Action("")


def test_defaults_are_taken_whole() -> None:
    """What is absent is taken from the defaults, as a whole; what is there stays, though it be empty."""
    defaults = parts_of(WHOLE, [])
    own = Parts(action=Action("other"), context={})
    assert own.over(defaults) == Parts(REQUEST.subject, Action("other"), REQUEST.resource, {})
    assert Parts().over(defaults) == defaults
    assert defaults.over(Parts()) == defaults


@pytest.mark.parametrize("where", ["", "evaluations[3]."])
def test_faults_name_their_place(where: str) -> None:
    """Each fault names the member that is wrong, by its path from the top of the request."""
    document = {"subject": {"type": 1}, "action": [], "resource": {"id": "x", "properties": 0}, "context": 1}
    faults: Faults = []
    assert whole(parts_of(document, faults, where), faults, where) is None
    assert [fault.field for fault in faults] == [
        f"{where}{field}"
        for field in (
            "subject.type",
            "subject.id",
            "action",
            "resource.type",
            "resource.properties",
            "context",
        )
    ]


def test_a_missing_entity_is_told_once() -> None:
    """An entity that is wrong is not told as missing too; one that is absent is told as that."""
    faults: Faults = []
    assert whole(parts_of({"subject": "x", "context": {}}, faults), faults) is None
    assert [(f.field, f.message) for f in faults] == [
        ("subject", "must be a JSON object"),
        ("action", "is missing"),
        ("resource", "is missing"),
    ]


@pytest.mark.parametrize("more", [0, 1])
def test_the_limit_of_properties(more: int) -> None:
    """Properties of as many bytes as may be are read; with one more they are refused."""
    context = {"a": "é" * ((PROPERTIES_BYTES_MAX - 8) // 2) + "x" * more}
    assert read({"context": context})[1] == (["context"] if more else [])


@given(documents)
def test_any_document_is_read_or_refused(document: object) -> None:
    """No JSON document makes the reading fail otherwise than by faults that name their fields."""
    faults: Faults = []
    request = whole(parts_of(document, faults), faults)
    assert (request is None) >= (not isinstance(document, dict))
    assert request is not None or faults
    assert all(fault.message for fault in faults)


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([Fault("a", "is missing")], "`a` is missing"),
        ([Fault("a", "is missing"), Fault("b.c", "is wrong")], "`a` is missing; `b.c` is wrong"),
        ([Fault("", "must be a JSON object")], "must be a JSON object"),
    ],
)
def test_faults_in_one_sentence(faults: Faults, expected: str) -> None:
    """All faults stand in one line, each with its field."""
    assert sentence_of(faults) == expected
