"""AuthZEN's evaluations of many requests in one (section 7)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from choice_ledger.http.authzen_evaluations import EVALUATIONS_MAX
from choice_ledger.wiring import now
from events.instants import DAY
from tests.http.authzen_world import (
    ALICE,
    BOB,
    DENIED,
    EVALUATION,
    EVALUATIONS,
    PERMITTED,
    READ,
    RECORD_1,
    RECORD_2,
    WRITE,
    ask,
    authzen_world,
    compelled,
    faults,
    reason,
    record,
)
from tests.http.serving import Served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The world of AuthZEN's tests."""
    with authzen_world(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[httpx.Client]:
    """Who may check."""
    with served.client("check") as client:
        yield client


def decisions(answer: dict[str, Any]) -> list[bool]:
    """The decisions alone, in their order."""
    return [each["decision"] for each in answer["evaluations"]]


@pytest.mark.parametrize("more", [{}, {"evaluations": []}, {"options": {"evaluations_semantic": "unknown"}}])
def test_without_evaluations_it_is_one_evaluation(client: httpx.Client, more: dict[str, Any]) -> None:
    """§7.1, states: an array "NOT present or is empty" makes it behave as the evaluation of one request."""
    for body in (PERMITTED, DENIED):
        assert ask(client, EVALUATIONS, {**body, **more}) == ask(client, EVALUATION, body)
    assert faults(client, EVALUATIONS, {"subject": ALICE, **more}) == {"action", "resource"}


def test_many_are_answered_in_their_order(client: httpx.Client) -> None:
    """§7.2, states: decisions stand "in the same order they were provided", each as it is by itself."""
    asked = [PERMITTED, DENIED, {**PERMITTED, "subject": BOB}, {**PERMITTED, "action": {"name": "unknown"}}]
    answer = ask(client, EVALUATIONS, {"evaluations": asked})
    assert answer["evaluations"] == [ask(client, EVALUATION, each) for each in asked]
    assert decisions(answer) == [True, False, True, False]


def test_many_have_no_decision_at_the_top(client: httpx.Client) -> None:
    """§7.2, RECOMMENDED: "that the `decision` key of the response be omitted" where there are evaluations."""
    assert set(ask(client, EVALUATIONS, {"evaluations": [PERMITTED]})) == {"evaluations"}


def test_evaluations_are_independent(client: httpx.Client) -> None:
    """§7.1, states: "These requests are independent from each other": repeated or turned, each stays."""
    asked = [DENIED, PERMITTED, DENIED, PERMITTED]
    forth = ask(client, EVALUATIONS, {"evaluations": asked})["evaluations"]
    back = ask(client, EVALUATIONS, {"evaluations": asked[::-1]})["evaluations"]
    assert forth == back[::-1] == [forth[0], forth[1]] * 2


def test_defaults_stand_in_for_what_is_absent(client: httpx.Client) -> None:
    """§7.1.1, states: top-level keys "provide default values for each object in the evaluations array"."""
    body = {"subject": BOB, "resource": RECORD_1, "evaluations": [{"action": READ}, {"action": WRITE}]}
    assert decisions(ask(client, EVALUATIONS, body)) == [True, False]
    assert decisions(ask(client, EVALUATIONS, {**PERMITTED, "evaluations": [{}]})) == [True]


def test_an_entity_overrides_its_default_whole(client: httpx.Client) -> None:
    """§7.1.1, states: a key in an evaluation "overrides the corresponding top-level default": as a whole."""
    default = {**READ, "properties": {"data": ["diagnosis"]}}
    body = {**PERMITTED, "action": default, "evaluations": [{}, {"action": READ}]}
    answer = ask(client, EVALUATIONS, body)
    assert decisions(answer) == [False, True]
    assert reason(answer["evaluations"][0]) == "data_not_declared"


def test_a_context_overrides_its_default_whole(client: httpx.Client) -> None:
    """§7.1.1, states: `context` too is a default that an evaluation's own, though empty, replaces."""
    body = {**PERMITTED, "context": {"data": ["diagnosis"]}, "evaluations": [{}, {"context": {}}]}
    assert decisions(ask(client, EVALUATIONS, body)) == [False, True]


def test_what_has_no_default_must_be_there(client: httpx.Client) -> None:
    """§7.1.1, MUST: omitted keys "MUST be provided as a top-level key": else that evaluation is at fault."""
    body = {"subject": ALICE, "action": READ, "evaluations": [{"resource": RECORD_1}, {}]}
    answer = ask(client, EVALUATIONS, body)
    assert decisions(answer) == [True, False]
    context = answer["evaluations"][1]["context"]
    assert context["error"] == {"status": 400, "message": "`resource` is missing"}


@pytest.mark.parametrize("options", [{}, {"another_option": "value"}, {"another_option": {"x": [1]}}])
def test_options_that_are_not_known(client: httpx.Client, options: dict[str, Any]) -> None:
    """§7.1.2, OPTIONAL: `options` is "general-purpose": what we do not know of it is ignored."""
    body = {"evaluations": [DENIED, PERMITTED], "options": options}
    assert decisions(ask(client, EVALUATIONS, body)) == [False, True]


@pytest.mark.parametrize("options", [None, [], "x", 1])
def test_options_are_an_object(client: httpx.Client, options: object) -> None:
    """§7.1.2, OPTIONAL: `options` has "a value that is an object"; another value is 400."""
    assert faults(client, EVALUATIONS, {"evaluations": [PERMITTED], "options": options}) == {"options"}


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        (None, [True, False, True, False]),
        ("execute_all", [True, False, True, False]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_the_three_semantics(client: httpx.Client, semantic: str | None, expected: list[bool]) -> None:
    """§7.1.2.1, states: "supports three evaluation semantics", and `execute_all` is the default."""
    options = {} if semantic is None else {"options": {"evaluations_semantic": semantic}}
    body = {"evaluations": [PERMITTED, DENIED, PERMITTED, DENIED], **options}
    assert decisions(ask(client, EVALUATIONS, body)) == expected


@pytest.mark.parametrize(
    ("semantic", "asked", "expected"),
    [
        ("deny_on_first_deny", [PERMITTED, PERMITTED], [True, True]),
        ("deny_on_first_deny", [DENIED, PERMITTED], [False]),
        ("permit_on_first_permit", [DENIED, DENIED], [False, False]),
        ("permit_on_first_permit", [DENIED, PERMITTED, DENIED], [False, True]),
    ],
)
def test_where_a_semantic_ends(client: httpx.Client, semantic: str, asked: Any, expected: list[bool]) -> None:
    """§7.1.2.1, states: "returning on the first denial", or permit: that one is the last told."""
    body = {"evaluations": asked, "options": {"evaluations_semantic": semantic}}
    assert decisions(ask(client, EVALUATIONS, body)) == expected


@pytest.mark.parametrize(("semantic", "expected"), [("deny_on_first_deny", 1), ("permit_on_first_permit", 2)])
def test_an_error_counts_as_a_denial(client: httpx.Client, semantic: str, expected: int) -> None:
    """§7.1.2.1, states: a denial is "error, or `"decision": false`": an error ends what a denial ends."""
    body = {"evaluations": [{}, PERMITTED, PERMITTED], "options": {"evaluations_semantic": semantic}}
    assert len(ask(client, EVALUATIONS, body)["evaluations"]) == expected


@pytest.mark.parametrize("semantic", ["all", "", "EXECUTE_ALL", None, 1, True, [], {}])
def test_a_semantic_that_is_none(client: httpx.Client, semantic: object) -> None:
    """§7.1.2.1, states: it is "exactly one of the following values"; another is 400."""
    body = {"evaluations": [PERMITTED], "options": {"evaluations_semantic": semantic}}
    assert faults(client, EVALUATIONS, body) == {"options.evaluations_semantic"}


@pytest.mark.parametrize(
    "body",
    [
        {"evaluations": {}},
        {"evaluations": "x"},
        {"evaluations": None},
        {"evaluations": [PERMITTED], "subject": "alice"},
        {"evaluations": [PERMITTED], "context": []},
        {"evaluations": [PERMITTED], "action": {}},
    ],
)
def test_a_fault_of_the_whole_payload_is_400(client: httpx.Client, body: dict[str, Any]) -> None:
    """§7.2.1, states: errors "that pertain to the entire payload" are told by the status of the call."""
    assert client.post(EVALUATIONS, json=body).status_code == 400


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"subject": "alice"}, "`subject` must be a JSON object"),
        ({"resource": {"type": "individual"}}, "`resource.id` is missing"),
        ({"action": {"name": 1}}, "`action.name` must be a text"),
        ({"context": {"at": "soon"}}, "`context.at` must be an RFC 3339 instant in UTC"),
        ({"context": {"data": "name"}}, "`context.data` must be a list of texts"),
        ("x", "must be a JSON object"),
        (None, "must be a JSON object"),
    ],
)
def test_a_fault_of_one_evaluation_is_its_own(client: httpx.Client, wrong: object, message: str) -> None:
    """§7.2.1, states: "Decisions default to *closed*", and the context tells what is wrong with that one."""
    answer = ask(client, EVALUATIONS, {**PERMITTED, "evaluations": [{}, wrong, {}]})
    assert decisions(answer) == [True, False, True]
    error = answer["evaluations"][1]["context"]["error"]
    assert error["status"] == 400
    assert error["message"].startswith(message)


@pytest.mark.parametrize("more", [0, 1])
def test_as_many_as_can_be_asked_at_once(client: httpx.Client, more: int) -> None:
    """§11.7, SHOULD: protection from too much at once: evaluations of one call have a limit."""
    body = {**PERMITTED, "evaluations": [{}] * (EVALUATIONS_MAX + more)}
    if more:
        assert faults(client, EVALUATIONS, body) == {"evaluations"}
    else:
        assert decisions(ask(client, EVALUATIONS, body)) == [True] * EVALUATIONS_MAX


def test_evaluations_count_as_calls(tmp_path: Path) -> None:
    """§11.7, SHOULD: "Rate limiting is one such way": evaluations in one call count as so many calls."""
    with authzen_world(tmp_path, rate_per_s=0.001, rate_burst=10) as slow, slow.client("check") as client:
        assert len(ask(client, EVALUATIONS, {**PERMITTED, "evaluations": [{}] * 9})["evaluations"]) == 9
        response = client.post(EVALUATIONS, json={**PERMITTED, "evaluations": [{}] * 2})
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) > 0


def test_each_evaluation_may_wait_for_its_own_position(served: Served, client: httpx.Client) -> None:
    """One evaluation that waits for a position in vain is denied as stale; the others are answered."""
    reached = record(served, compelled(now() - DAY, "waited-for"))
    offsets = {slice_: offset + 10 for slice_, offset in reached.as_dict().items()}
    beyond = type(reached).of(reached.generation, offsets.items()).encode()
    asked = [{}, {"context": {"after": beyond, "wait_ms": 1}}, {"context": {"after": reached.encode()}}]
    answer = ask(client, EVALUATIONS, {**PERMITTED, "evaluations": asked})
    assert [reason(each) for each in answer["evaluations"]] == ["necessary", "stale", "necessary"]


def test_many_individuals_at_once(client: httpx.Client) -> None:
    """Evaluations of several individuals, one unknown and one of another type, keep their order."""
    resources = [RECORD_2, {"type": "individual", "id": "nobody"}, {"type": "record", "id": "1"}, RECORD_1]
    answer = ask(
        client, EVALUATIONS, {**PERMITTED, "evaluations": [{"resource": each} for each in resources]}
    )
    found = [reason(each) for each in answer["evaluations"]]
    assert found == ["necessary", "not_told", "resource_type_unknown", "necessary"]
