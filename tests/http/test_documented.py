"""The check that holds every answer of every test against the document catches what it is there to catch."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from choice_ledger.http.endpoints import JSON, NDJSON, Answered, Endpoint
from choice_ledger.http.problems import PROBLEM_MEDIA_TYPE, Problem
from tests.http.documented import Document, assert_documented

THING = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "at": {"type": "string", "format": "date-time"}},
    "required": ["name"],
    "additionalProperties": False,
}
ROW = Endpoint(
    method="GET",
    path="/v1/things/{thing}",
    operation="thing",
    summary="A thing",
    tag="Things",
    answers=(Answered(status=200, description="It.", content={JSON: THING, NDJSON: THING}),),
    problems=("not_found",),
    scopes=frozenset({"check"}),
)
DOCUMENT = Document([ROW])
ID = {"X-Request-Id": "r"}


def answered(
    status: int = 200,
    content: object = None,
    *,
    path: str = "/v1/things/a",
    media_type: str = JSON,
    headers: Mapping[str, str] = ID,
) -> httpx.Response:
    """An answer as a client sees it."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    request = httpx.Request("GET", f"http://127.0.0.1{path}")
    return httpx.Response(
        status, content=raw, headers={"content-type": media_type, **headers}, request=request
    )


def problem(kind: str, **beside: Any) -> httpx.Response:
    """A problem as a client sees it."""
    told = Problem(kind, **beside)
    return answered(told.row.status, told.members("r"), media_type=PROBLEM_MEDIA_TYPE)


@pytest.mark.parametrize(
    "response",
    [
        answered(content={"name": "a"}),
        answered(content=b'{"name": "a"}\n{"name": "b"}\n', media_type=NDJSON),
        answered(content={"name": "a"}, media_type="application/json; charset=utf-8"),
        problem("not_found"),
        problem("scope_missing", scopes=["check"]),
        answered(404, {}, path="/v2/nothing"),
    ],
    ids=["json", "lines", "with a character set", "problem", "with members beside", "no such address"],
)
def test_a_true_answer_passes(response: httpx.Response) -> None:
    """An answer that is as documented has no faults; an address without a row may be told as not found."""
    assert DOCUMENT.faults_of(response) == []


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        (answered(content={"name": 1}), "is not of type"),
        (answered(content={}), "required"),
        (answered(content={"name": "a", "more": 1}), "Additional properties"),
        (answered(content={"name": "a", "at": "yesterday"}), "date-time"),
        (answered(content=b'{"name": "a"}\n{"name": 2}\n', media_type=NDJSON), "is not of type"),
        (answered(content=b"a", media_type="text/plain"), "text/plain is not documented"),
        (answered(201, {"name": "a"}), "201 is not documented"),
        (answered(content={"name": "a"}, headers={}), "X-Request-Id is missing"),
        (problem("in_flight"), "409 is not documented"),
        (problem("stale"), "not valid under"),
        (answered(200, {}, path="/v2/nothing"), "is in no document"),
    ],
    ids=str,
)
def test_a_false_answer_is_caught(response: httpx.Response, fault: str) -> None:
    """A wrong type, member, format, line, media type, status, header, kind of problem or address is found."""
    assert any(fault in found for found in DOCUMENT.faults_of(response)), DOCUMENT.faults_of(response)


def test_a_test_fails_by_it() -> None:
    """An answer that the service's own document does not know fails the test that got it, and says where."""
    with pytest.raises(AssertionError, match="GET /livez answered otherwise than documented"):
        assert_documented(answered(418, path="/livez"))
