"""AuthZEN's searches for subjects, resources and actions (section 8)."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from choice_ledger.http.authzen_pages import RESULTS_MAX
from choice_ledger.http.authzen_searches import LOOKED_AT_MAX, LOOKED_AT_MIN, LOOKED_AT_PER_RESULT
from choice_ledger.wiring import now
from events.instants import DAY, format_instant
from events.streams import Position
from tests.http.authzen_world import (
    ACTIONS,
    ALICE,
    BOB,
    CRM,
    EVALUATION,
    MAIL,
    READ,
    RECORD_1,
    RESOURCES,
    SUBJECTS,
    TOLD,
    WRITE,
    all_pages,
    ask,
    authzen_world,
    faults,
    names,
    opted_out,
    record,
    told,
)
from tests.http.serving import Served

INDIVIDUALS = {"type": "individual"}
RECIPIENTS = {"type": "recipient"}
WHO_READS = {"subject": RECIPIENTS, "action": READ, "resource": RECORD_1}
WHAT_IS_READ = {"subject": ALICE, "action": READ, "resource": INDIVIDUALS}
WHAT_ALICE_MAY = {"subject": ALICE, "resource": RECORD_1}
SEARCHES: dict[str, dict[str, Any]] = {
    SUBJECTS: WHO_READS,
    RESOURCES: WHAT_IS_READ,
    ACTIONS: WHAT_ALICE_MAY,
}
every_search = pytest.mark.parametrize("path", SEARCHES)


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


def evaluated(client: httpx.Client, path: str, body: dict[str, Any], found: dict[str, str]) -> bool:
    """The decision on what a search found."""
    part = {SUBJECTS: "subject", RESOURCES: "resource", ACTIONS: "action"}[path]
    decision: bool = ask(client, EVALUATION, {**body, part: found})["decision"]
    return decision


# ------------------------------------------------------------------------------------------------- semantics


@every_search
def test_what_is_found_is_permitted(client: httpx.Client, path: str) -> None:
    """§8.1, SHOULD: a result "SHOULD result in a `"decision": true` response" when it is evaluated."""
    page = ask(client, path, SEARCHES[path])
    assert page["results"]
    assert all(evaluated(client, path, SEARCHES[path], found) for found in page["results"])


def test_who_may_do_it(client: httpx.Client) -> None:
    """§8.4, states: it "returns all subjects of a given type that are permitted"."""
    assert names(ask(client, SUBJECTS, WHO_READS)) == ["alice", "bob"]
    assert names(ask(client, SUBJECTS, {**WHO_READS, "action": WRITE})) == ["alice"]
    assert names(ask(client, SUBJECTS, {**WHO_READS, "action": MAIL})) == ["alice"]
    opted = {"type": "individual", "id": "opted-out"}
    assert names(ask(client, SUBJECTS, {**WHO_READS, "action": MAIL, "resource": opted})) == []


def test_which_services_may_do_it(client: httpx.Client) -> None:
    """§8.1, RECOMMENDED: "transitively": the controller's permission is that of each of its services."""
    body = {**WHO_READS, "subject": {"type": "service"}, "action": {"name": "later"}}
    assert names(ask(client, SUBJECTS, body)) == ["billing", "crm"]
    soon = {"type": "individual", "id": "soon"}
    assert names(ask(client, SUBJECTS, {**body, "resource": soon})) == []


def test_whom_the_law_named_is_found(client: httpx.Client) -> None:
    """A recipient and a purpose that a compelled disclosure alone names are found, though undeclared."""
    compelled = {"type": "individual", "id": "compelled"}
    body = {**WHO_READS, "action": {"name": "inquiry"}, "resource": compelled}
    assert names(ask(client, SUBJECTS, body)) == ["court"]
    asked = {"subject": {"type": "recipient", "id": "court"}, "resource": compelled}
    assert names(ask(client, ACTIONS, asked)) == ["inquiry"]


def test_which_individuals(client: httpx.Client) -> None:
    """§8.5, states: it "returns all resources of a given type that are permitted"."""
    found = names(ask(client, RESOURCES, {**WHAT_IS_READ, "action": MAIL}))
    assert set(TOLD) - set(found) == {"opted-out"}
    assert "nobody" not in found
    assert "theirs" not in found
    assert found == sorted(found)


def test_what_a_subject_may_do(client: httpx.Client) -> None:
    """§8.6, states: it "returns all actions that are permitted"."""
    assert names(ask(client, ACTIONS, WHAT_ALICE_MAY)) == ["mail", "read", "write"]
    assert names(ask(client, ACTIONS, {**WHAT_ALICE_MAY, "subject": BOB})) == ["read"]
    assert names(ask(client, ACTIONS, {**WHAT_ALICE_MAY, "subject": CRM})) == [
        "later",
        "mail",
        "read",
        "write",
    ]


def test_a_search_of_the_past(served: Served, client: httpx.Client) -> None:
    """Data and both times narrow a search as they narrow an evaluation."""
    at = now()
    record(served, told(at - 5 * DAY, "left"), opted_out(at - 2 * DAY, "left"))
    body = {"subject": ALICE, "resource": {"type": "individual", "id": "left"}}
    before = {"at": format_instant(at - 3 * DAY)}
    assert names(ask(client, ACTIONS, body)) == ["read", "write"]
    assert names(ask(client, ACTIONS, {**body, "context": before})) == ["mail", "read", "write"]
    assert "left" in names(ask(client, RESOURCES, {**WHAT_IS_READ, "action": MAIL, "context": before}))
    assert names(ask(client, ACTIONS, {**body, "context": {"data": ["address"]}})) == ["read"]
    assert names(ask(client, SUBJECTS, {**WHO_READS, "context": {"data": ["diagnosis"]}})) == []


def test_another_tenant_finds_its_own(served: Served) -> None:
    """A search finds individuals, recipients, purposes and services of the token's tenant alone."""
    theirs = {"type": "individual", "id": "theirs"}
    with served.client("check", tenant="other") as other:
        assert names(ask(other, RESOURCES, WHAT_IS_READ)) == ["theirs"]
        services = {"subject": {"type": "service"}, "action": READ, "resource": theirs}
        assert names(ask(other, SUBJECTS, services)) == ["their-crm"]
        assert names(ask(other, SUBJECTS, WHO_READS)) == []
    with served.client("check", tenant="third") as third:
        assert [names(ask(third, path, body)) for path, body in SEARCHES.items()] == [[], [], []]


@every_search
@pytest.mark.parametrize(
    "change",
    [
        {"subject": {"type": "spaceship", "id": "x"}},
        {"resource": {"type": "spaceship", "id": "x"}},
        {"subject": {"type": "service", "id": "nobody"}, "resource": {"type": "individual", "id": "nobody"}},
        {"action": {"name": "no such thing"}, "subject": {"type": "recipient", "id": "nobody"}},
        {"resource": {"type": "individual", "id": "a/b@c"}, "subject": {"type": "recipient", "id": "\x00"}},
    ],
)
def test_what_is_not_known_is_not_found(client: httpx.Client, path: str, change: dict[str, Any]) -> None:
    """§8.3, REQUIRED: results is "An array containing zero or more entities": unknown ones are no error."""
    page = ask(client, path, {**SEARCHES[path], **change})
    assert page["results"] == []
    assert page["page"] == {"next_token": "", "count": 0}


# --------------------------------------------------------------------------------------- request and response


@every_search
def test_results_are_of_the_type_searched_for(client: httpx.Client, path: str) -> None:
    """§8.3, MUST: results "MUST contain only entities of the type being searched for"."""
    for found in ask(client, path, SEARCHES[path])["results"]:
        if path == ACTIONS:
            assert set(found) == {"name"}
        else:
            asked = SEARCHES[path]["subject" if path == SUBJECTS else "resource"]
            assert set(found) == {"type", "id"}
            assert found["type"] == asked["type"]


@every_search
def test_the_page_comes_first(client: httpx.Client, path: str) -> None:
    """§8.3, RECOMMENDED: "that the `page` object be the first key in the response", with its count."""
    response = client.post(path, json=SEARCHES[path])
    pairs = json.loads(response.text, object_pairs_hook=list)
    assert pairs[0][0] == "page"
    page = response.json()
    assert page["page"]["count"] == len(page["results"])


@every_search
def test_a_search_tells_its_position(client: httpx.Client, path: str) -> None:
    """§8.3, OPTIONAL: `context` "can convey additional information": which state was read."""
    page = ask(client, path, SEARCHES[path])
    assert Position.decode(page["context"]["position"]).offsets


@pytest.mark.parametrize(
    ("path", "missing", "field"),
    [
        (SUBJECTS, "subject", "subject"),
        (SUBJECTS, "action", "action"),
        (SUBJECTS, "resource", "resource"),
        (RESOURCES, "subject", "subject"),
        (RESOURCES, "action", "action"),
        (RESOURCES, "resource", "resource"),
        (ACTIONS, "subject", "subject"),
        (ACTIONS, "resource", "resource"),
    ],
)
def test_what_a_search_needs(client: httpx.Client, path: str, missing: str, field: str) -> None:
    """§8.4.1, REQUIRED: subject, action and resource (of an action search the two others): else 400."""
    body = {name: value for name, value in SEARCHES[path].items() if name != missing}
    assert faults(client, path, body) == {field}


@pytest.mark.parametrize(
    ("path", "part", "member"),
    [
        (SUBJECTS, "resource", "id"),
        (SUBJECTS, "resource", "type"),
        (SUBJECTS, "subject", "type"),
        (SUBJECTS, "action", "name"),
        (RESOURCES, "subject", "id"),
        (RESOURCES, "resource", "type"),
        (ACTIONS, "subject", "id"),
        (ACTIONS, "resource", "id"),
    ],
)
def test_what_an_entity_of_a_search_needs(client: httpx.Client, path: str, part: str, member: str) -> None:
    """§8.4.1, MUST: "The Subject MUST contain a `type`", and what is given is identified whole."""
    entity = {name: value for name, value in SEARCHES[path][part].items() if name != member}
    assert faults(client, path, {**SEARCHES[path], part: entity}) == {f"{part}.{member}"}


@pytest.mark.parametrize("id_", ["alice", "nobody", "", 5, None, [], {}])
def test_the_id_of_a_searched_subject_is_ignored(client: httpx.Client, id_: object) -> None:
    """§8.4.1, MUST: the subject's `id` "SHOULD be omitted, and if present, MUST be ignored"."""
    body = {**WHO_READS, "subject": {**RECIPIENTS, "id": id_}}
    assert ask(client, SUBJECTS, body) == ask(client, SUBJECTS, WHO_READS)


@pytest.mark.parametrize("id_", ["record-1", "nobody", "", 5, None, [], {}])
def test_the_id_of_a_searched_resource_is_ignored(client: httpx.Client, id_: object) -> None:
    """§8.5.1, MUST: the resource's `id` "SHOULD be omitted, and if present, MUST be ignored"."""
    body = {**WHAT_IS_READ, "resource": {**INDIVIDUALS, "id": id_}}
    assert ask(client, RESOURCES, body) == ask(client, RESOURCES, WHAT_IS_READ)


@pytest.mark.parametrize("action", [READ, {}, "x", None])
def test_the_action_of_an_action_search_is_ignored(client: httpx.Client, action: object) -> None:
    """§8.6.1, states: "the `action` key is omitted"; one that is there is a field like any unknown one."""
    assert ask(client, ACTIONS, {**WHAT_ALICE_MAY, "action": action}) == ask(client, ACTIONS, WHAT_ALICE_MAY)


# ------------------------------------------------------------------------------------------------- pagination


@every_search
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_make_up_the_whole(client: httpx.Client, path: str, limit: int) -> None:
    """§8.2, MUST: a page is "clearly identified" by a non-empty `next_token`, up to the last."""
    pages = all_pages(client, path, SEARCHES[path], limit=limit)
    together = [name for page in pages for name in names(page)]
    assert together == names(ask(client, path, SEARCHES[path]))
    assert all(len(page["results"]) == limit for page in pages[:-1])
    assert pages[-1]["results"]
    assert [bool(page["page"]["next_token"]) for page in pages] == [True] * (len(pages) - 1) + [False]


@every_search
def test_a_whole_result_says_that_it_is_whole(client: httpx.Client, path: str) -> None:
    """§8.2.2, MUST: with no more results the token's "value MUST be an empty string"."""
    count = len(ask(client, path, SEARCHES[path])["results"])
    page = ask(client, path, {**SEARCHES[path], "page": {"limit": count}})
    assert page["page"] == {"next_token": "", "count": count}


@every_search
def test_a_partial_result_has_a_page(client: httpx.Client, path: str) -> None:
    """§8.2.2, MUST: "if a response does not contain the entire result set", it has a page and a token."""
    page = ask(client, path, {**SEARCHES[path], "page": {"limit": 1}})["page"]
    assert page["count"] == 1
    assert page["next_token"]


@every_search
def test_a_token_goes_without_the_limit(client: httpx.Client, path: str) -> None:
    """§8.2.3, states: the second request of the example has the token alone: the limit stays what it was."""
    first = ask(client, path, {**SEARCHES[path], "page": {"limit": 1}})
    again = {"token": first["page"]["next_token"]}
    second = ask(client, path, {**SEARCHES[path], "page": again})
    assert second == ask(client, path, {**SEARCHES[path], "page": {**again, "limit": 1}})
    assert len(second["results"]) == 1
    assert second["results"] != first["results"]


@every_search
@pytest.mark.parametrize(
    "change",
    [
        {"context": {"data": ["name"]}},
        {"context": {"note": 1}},
        {"subject": {"type": "recipient", "id": "alice", "properties": {"x": 1}}},
        {"resource": {"type": "individual", "id": "record-1", "properties": {"x": 1}}},
    ],
)
def test_a_search_that_was_changed_on_the_way(
    client: httpx.Client, path: str, change: dict[str, Any]
) -> None:
    """§8.2, SHOULD: "return an error when any entity or parameter has been changed": it is 400."""
    token = ask(client, path, {**SEARCHES[path], "page": {"limit": 1}})["page"]["next_token"]
    assert faults(client, path, {**SEARCHES[path], **change, "page": {"token": token}}) == {"page.token"}


@every_search
def test_a_limit_that_was_changed_on_the_way(client: httpx.Client, path: str) -> None:
    """§8.2.1, SHOULD: "If a different value is provided mid-pagination", such as a limit, it is 400."""
    token = ask(client, path, {**SEARCHES[path], "page": {"limit": 1}})["page"]["next_token"]
    changed = {**SEARCHES[path], "page": {"token": token, "limit": 2}}
    assert faults(client, path, changed) == {"page.limit"}


def test_a_token_of_another_search_or_tenant(served: Served, client: httpx.Client) -> None:
    """§8.2, MUST: entities "MUST be identical to the preceding request": a token is of one search."""
    token = ask(client, SUBJECTS, {**WHO_READS, "page": {"limit": 1}})["page"]["next_token"]
    assert faults(client, ACTIONS, {**WHAT_ALICE_MAY, "page": {"token": token}}) == {"page.token"}
    with served.client("check", tenant="other") as other:
        assert faults(other, SUBJECTS, {**WHO_READS, "page": {"token": token}}) == {"page.token"}


@every_search
@pytest.mark.parametrize(
    ("page", "field"),
    [
        ({"token": "made up"}, "page.token"),
        ({"token": ""}, "page.token"),
        ({"token": 1}, "page.token"),
        ({"limit": -1}, "page.limit"),
        ({"limit": "1"}, "page.limit"),
        ({"limit": 0.5}, "page.limit"),
        ({"properties": []}, "page.properties"),
        ([], "page"),
    ],
)
def test_a_page_that_cannot_be(client: httpx.Client, path: str, page: Any, field: str) -> None:
    """§8.2.1, OPTIONAL: token, limit ("A non-negative integer") and properties: another value is 400."""
    assert faults(client, path, {**SEARCHES[path], "page": page}) == {field}


@every_search
def test_a_limit_of_none_gives_none(client: httpx.Client, path: str) -> None:
    """§8.2.1, OPTIONAL: a limit of 0 is "the maximum number of results": none, and a token for more."""
    page = ask(client, path, {**SEARCHES[path], "page": {"limit": 0}})
    assert page["results"] == []
    assert page["page"]["next_token"]


@every_search
def test_what_is_not_known_of_a_page_is_ignored(client: httpx.Client, path: str) -> None:
    """§8.2.1, OPTIONAL: `properties` are "implementation-specific": we have none, and refuse none."""
    page = {"properties": {"sort": "id"}, "future": True}
    assert ask(client, path, {**SEARCHES[path], "page": page}) == ask(client, path, SEARCHES[path])


def test_pages_go_on_while_individuals_come(served: Served, client: httpx.Client) -> None:
    """§8.2, states: pages are no "atomic snapshot": who comes behind the token is found, nobody is lost."""
    body = {**WHAT_IS_READ, "action": WRITE}
    before = names(ask(client, RESOURCES, body))
    first = ask(client, RESOURCES, {**body, "page": {"limit": 1}})
    at = now() - DAY
    record(served, told(at, "a-first"), told(at, "zz-last"))
    rest = all_pages(client, RESOURCES, body, token=first["page"]["next_token"])
    assert [*names(first), *(name for page in rest for name in names(page))] == [*before, "zz-last"]


def test_a_page_looks_at_so_many_and_no_more(tmp_path_factory: pytest.TempPathFactory) -> None:
    """§11.7, SHOULD: protection from "memory consumption": a page looks at a bounded number of individuals.

    So a page may be empty and another follow it; a page is never longer than its limit.
    """
    with authzen_world(tmp_path_factory.mktemp("many")) as many, many.client("check") as client:
        count, at = LOOKED_AT_MAX + LOOKED_AT_MIN, now() - DAY
        record(many, *(opted_out(at, f"m{number:05d}") for number in range(count)))
        record(many, *(told(at, f"n{number:05d}") for number in range(RESULTS_MAX + 1)))
        body = {**WHAT_IS_READ, "action": MAIL}
        pages = all_pages(client, RESOURCES, body)
        assert [len(page["results"]) for page in pages] == [1, RESULTS_MAX, 4]
        small = all_pages(client, RESOURCES, body, limit=20)
        assert all(len(page["results"]) <= 20 for page in small)
        assert sum(not page["results"] for page in small) >= count // LOOKED_AT_MIN - 1
        assert [n for p in small for n in names(p)] == [n for p in pages for n in names(p)]
        wide = all_pages(client, RESOURCES, body, limit=LOOKED_AT_MAX // LOOKED_AT_PER_RESULT)
        assert [n for p in wide for n in names(p)] == [n for p in pages for n in names(p)]


@every_search
def test_a_search_that_cannot_be_fresh_is_refused(served: Served, client: httpx.Client, path: str) -> None:
    """A search of a state that does not reach the position asked for is refused as stale."""
    reached = record(served, told(now() - DAY, "fresh"))
    good = {**SEARCHES[path], "context": {"after": reached.encode()}}
    assert ask(client, path, good)["results"]
    offsets = {slice_: offset + 10 for slice_, offset in reached.as_dict().items()}
    beyond = Position.of(reached.generation, offsets.items()).encode()
    response = client.post(path, json={**SEARCHES[path], "context": {"after": beyond, "wait_ms": 1}})
    assert (response.status_code, response.json()["type"]) == (503, "/problems/stale")
