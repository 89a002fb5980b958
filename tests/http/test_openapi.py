"""The OpenAPI document: it is one, it says all that the application has, and its examples are true."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from choice_ledger.access import SCOPES
from choice_ledger.http.app import Application, application
from choice_ledger.http.endpoints import JSON, Answered, Endpoint
from choice_ledger.http.openapi import (
    BESIDE,
    PROBLEMS_OF_ALL,
    PROBLEMS_OF_BODIES,
    PROBLEMS_OF_SCOPES,
    PROBLEMS_OF_TOKENS,
    PROBLEMS_WITHOUT_BODIES,
    SCHEME,
    document,
    problem_name,
    problems_of,
)
from choice_ledger.http.problems import KINDS, PROBLEM_MEDIA_TYPE
from choice_ledger.http.table import ENDPOINTS
from tests.http.documented import Document, the_document
from tests.http.serving import Served

CONTENT = the_document().content
OPERATIONS = [(row, CONTENT["paths"][row.path][row.method.lower()]) for row in ENDPOINTS]
EACH = pytest.mark.parametrize(("row", "operation"), OPERATIONS, ids=[row.operation for row in ENDPOINTS])


def routes_of(app: Application) -> set[tuple[str, str]]:
    """Every method and path that an application answers; HEAD and OPTIONS follow from them."""
    found: set[tuple[str, str]] = {(method, path) for path, (method, _) in app._bare.items()}
    for route in app._litestar.routes:
        path = re.sub(r":str\}", "}", route.path)
        found |= {(method, path) for method in {*getattr(route, "methods", ())} - {"OPTIONS", "HEAD"}}
    return found


def every(part: object, key: str) -> Iterator[Any]:
    """Every value that stands under a key anywhere in a document."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == key:
                yield value
            yield from every(value, key)
    elif isinstance(part, list):
        for value in part:
            yield from every(value, key)


def planted(**changes: Any) -> Endpoint:
    """A row as a part of the service brings one."""
    row = Endpoint(
        method="POST",
        path="/v1/things/{thing}",
        operation="thing",
        summary="A thing",
        tag="Things",
        answers=(Answered(status=200, description="Done.", content={JSON: {"type": "object"}}),),
        scopes=frozenset({"check", "audit"}),
        body={"type": "object"},
    )
    return replace(row, **changes)


def operation_of(row: Endpoint) -> Any:
    """What the document says of one row."""
    return document([row])["paths"][row.path][row.method.lower()]


def test_it_is_an_openapi_document() -> None:
    """The document passes the meta-schema of OpenAPI 3.1, and each of its references leads somewhere."""
    assert CONTENT["openapi"].startswith("3.1.")
    assert [str(fault) for fault in OpenAPIV31SpecValidator(CONTENT).iter_errors()] == []


@pytest.mark.parametrize(("name", "value"), [("security", "token"), ("responses", {"200": {}}), ("tags", 1)])
def test_a_planted_fault_of_the_document_is_caught(name: str, value: object) -> None:
    """An operation whose security, answer or tags are not as OpenAPI has them is found by the same check."""
    broken = document(ENDPOINTS)
    broken["paths"]["/livez"]["get"][name] = value
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_every_route_is_documented_and_every_operation_routed(served: Served) -> None:
    """What the application routes and what the document says are the same methods and paths."""
    documented = {(method.upper(), path) for path, methods in CONTENT["paths"].items() for method in methods}
    assert routes_of(application(served.service)) == documented


def test_no_row_is_lost() -> None:
    """Each row is an operation of its own: no two share a method and path, or a name."""
    assert len({(row.method, row.path) for row in ENDPOINTS}) == len(ENDPOINTS)
    assert len({row.operation for row in ENDPOINTS}) == len(ENDPOINTS)
    assert sum(len(methods) for methods in CONTENT["paths"].values()) == len(ENDPOINTS)


def test_every_reference_leads_to_a_component() -> None:
    """Each `$ref` and each discriminator's mapping names a component that is there."""
    named = set(every(CONTENT, "$ref"))
    for mapping in every(CONTENT, "mapping"):
        named |= set(mapping.values())
    kinds = ("schemas", "headers")
    there = {f"#/components/{kind}/{name}" for kind in kinds for name in CONTENT["components"][kind]}
    assert named
    assert named - there == set()


def test_every_component_is_used() -> None:
    """No schema stands in the document that nothing refers to."""
    schemas = {f"#/components/schemas/{name}" for name in CONTENT["components"]["schemas"]}
    assert schemas - set(every(CONTENT, "$ref")) == set()


def test_the_service_answers_this_document(served: Served) -> None:
    """`/openapi.json` is the document of the table, without a token."""
    answer = httpx.get(f"{served.url}/openapi.json")
    assert answer.headers["content-type"] == JSON
    assert answer.json() == CONTENT


@EACH
def test_an_operation_has_what_a_reader_needs(row: Endpoint, operation: Any) -> None:
    """Each operation has a summary, a description, a tag that is listed, and an answer that succeeds."""
    assert operation["summary"].strip()
    assert operation["description"].strip()
    assert operation["tags"][0] in {tag["name"] for tag in CONTENT["tags"]}
    assert any(answer.status < 300 for answer in row.answers)
    assert set(row.problems) <= KINDS.keys()


@EACH
def test_its_path_names_its_parameters(row: Endpoint, operation: Any) -> None:
    """The parameters of a path are those that its address names, each required and described."""
    inside = [p for p in operation.get("parameters", []) if p["in"] == "path"]
    assert sorted(p["name"] for p in inside) == sorted(re.findall(r"\{(\w+)\}", row.path))
    assert all(p["required"] for p in inside)
    assert all(p["description"].strip() for p in operation.get("parameters", []))


@EACH
def test_it_says_who_may_call(row: Endpoint, operation: Any) -> None:
    """Security names each scope as an alternative; an open operation asks for nothing."""
    alternatives = [set(entry[SCHEME]) for entry in operation["security"]]
    if row.open:
        assert alternatives == []
    elif row.scopes:
        assert alternatives == [{scope} for scope in SCOPES if scope in row.scopes]
    else:
        assert alternatives == [set()]


WITH_BODY = [(row, operation) for row, operation in OPERATIONS if row.body is not None]


@pytest.mark.parametrize(("row", "operation"), WITH_BODY, ids=[row.operation for row, _ in WITH_BODY])
def test_an_example_is_what_its_schema_says(row: Endpoint, operation: Any) -> None:
    """Each operation with a body shows one, and that body passes its own schema."""
    assert row.example is not None
    assert the_document().faults_of_example(operation) == []


def test_a_planted_wrong_example_is_caught() -> None:
    """An example that lacks what its schema asks for is found by the same check."""
    row = planted(body={"type": "object", "required": ["name"]}, example={})
    found = Document([row])
    assert found.faults_of_example(found.content["paths"][row.path]["post"]) != []


def test_the_problems_of_an_operation_are_its_own_and_the_common_ones() -> None:
    """What every call, every token, every scope and every body can end in is added to the row's own kinds."""
    everywhere = {*PROBLEMS_OF_ALL}
    tokens = {*everywhere, *PROBLEMS_OF_TOKENS}
    assert set(problems_of(planted(open=True, scopes=frozenset(), body=None))) == {
        *everywhere,
        *PROBLEMS_WITHOUT_BODIES,
    }
    assert set(problems_of(planted(scopes=frozenset()))) == {*tokens, *PROBLEMS_OF_BODIES}
    assert set(problems_of(planted(problems=("stale",)))) == {
        *tokens,
        *PROBLEMS_OF_SCOPES,
        *PROBLEMS_OF_BODIES,
        "stale",
    }


def test_kinds_of_one_status_are_told_apart_by_their_type() -> None:
    """Several kinds of one status are exactly one of their schemas, chosen by `type`."""
    answer = operation_of(planted())["responses"]["401"]
    schema = answer["content"][PROBLEM_MEDIA_TYPE]["schema"]
    assert list(schema["discriminator"]["mapping"]) == ["/problems/token_missing", "/problems/token_refused"]
    assert len(schema["oneOf"]) == 2
    assert "WWW-Authenticate" in answer["headers"]


def test_a_kind_that_may_be_tried_again_says_when() -> None:
    """`Retry-After` is documented where a kind of the status may be tried again, and nowhere else."""
    for status, answer in operation_of(planted(problems=tuple(KINDS)))["responses"].items():
        again = any(row.retry for row in KINDS.values() if str(row.status) == status)
        assert ("Retry-After" in answer["headers"]) == again, status


@pytest.mark.parametrize("kind", KINDS)
def test_a_problem_is_its_own_kind_and_no_other(kind: str) -> None:
    """The schema of a kind takes a problem of that kind, and none whose type is another's."""
    found = Document([planted(problems=tuple(KINDS))])
    validator = found.validator({"$ref": f"#/components/schemas/{problem_name(kind)}"})
    beside = {"scopes": ["check"], "limit": 1, "event_id": "01890000-0000-7000-8000-000000000000"}
    beside |= {"reason": "opted_out", "checks": []}
    row = KINDS[kind]
    told = {"type": f"/problems/{kind}", "title": row.title, "status": row.status, "detail": "d", **beside}
    told |= {"remedy": row.remedy, "request_id": "r"}
    assert validator.is_valid(told)
    other = next(name for name in KINDS if name != kind)
    assert not validator.is_valid({**told, "type": f"/problems/{other}"})
    assert not validator.is_valid({**told, "status": 299})
    for member in BESIDE.get(kind, {}):
        assert not validator.is_valid({name: value for name, value in told.items() if name != member})


def test_the_order_of_the_table_is_the_order_of_the_tags() -> None:
    """Tags stand in the order in which the table first names them, each once."""
    rows = [planted(operation="a", path="/a", tag="B"), planted(operation="b", path="/b", tag="A")]
    assert [tag["name"] for tag in document([*rows, planted(tag="B")])["tags"]] == ["B", "A"]
