"""Who may call what: every endpoint with every scope and every kind of bad token."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from choice_ledger.access import SCOPES
from choice_ledger.http.app import Application
from choice_ledger.http.endpoints import Endpoint
from choice_ledger.http.table import ENDPOINTS
from tests.cli.running import EXAMPLES, Cli
from tests.http.matrix import MAY, access_findings, name_of
from tests.http.serving import Served, serving

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger in which the example policy is in force."""
    home = tmp_path_factory.mktemp("matrix") / "home"
    Cli(home).does("policy", "publish", str(EXAMPLES / "telemate" / "website-and-services.v1.yaml"), "--now")
    return home


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[Served]:
    """A service on it."""
    with serving(home) as served:
        yield served


def test_everyone_may_do_what_their_scopes_are_for_and_nothing_else(running: Served) -> None:
    """Each endpoint lets in the scopes that it is for, and refuses all others and each bad token, by kind."""
    findings, called = access_findings(running, ENDPOINTS)
    assert findings == []
    assert called == set(MAY), "each endpoint is called, and has its line in the list of who may call what"


def test_no_endpoint_is_left_out(running: Served) -> None:
    """The list of who may call what names every route of the application, and every path of its document."""
    routes = {f"{method} {path}" for method, path in Application(running.service).routes}
    paths = httpx.get(f"{running.url}/openapi.json").json()["paths"]
    documented = {
        f"{method.upper()} {path}" for path, item in paths.items() for method in item if method in METHODS
    }
    assert routes == documented == set(MAY)


def test_the_list_names_scopes_that_exist() -> None:
    """Who may call what is told in scopes that there are, and each scope is good for something."""
    named = {word for words in MAY.values() for word in words.split()} - {"*", "-"}
    assert named == set(SCOPES)


PLANTED: dict[str, Callable[[Endpoint], Endpoint]] = {
    "anybody may": lambda row: replace(row, scopes=frozenset()),
    "one scope more may": lambda row: replace(row, scopes=row.scopes | {"admin"}),
    "another scope may": lambda row: replace(row, scopes=frozenset({"check"})),
}


@pytest.mark.parametrize("operation", ["record_choice", "history", "erase_individual"])
@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_a_planted_wrong_scope_is_found(
    home: Path, plant: Callable[[Endpoint], Endpoint], operation: str
) -> None:
    """Where an endpoint lets in whom it must not, the matrix names that endpoint, and no other."""
    rows = tuple(plant(row) if row.operation == operation else row for row in ENDPOINTS)
    (planted,) = (row for row in rows if row.operation == operation)
    with serving(home, endpoints=rows) as served:
        findings, _ = access_findings(served, [row for row in rows if row.path.startswith(planted.path[:9])])
    assert findings
    assert all(finding.startswith(name_of(planted)) for finding in findings)


def test_a_planted_open_endpoint_is_found(home: Path) -> None:
    """An endpoint that asks for no token lets in all who must not be, and each of them is a finding."""
    rows = tuple(replace(row, open=True) if row.operation == "policies" else row for row in ENDPOINTS)
    with serving(home, endpoints=rows) as served:
        findings, _ = access_findings(served, [row for row in rows if row.operation == "policies"])
    assert [finding.partition(": ")[0] for finding in findings][:2] == [
        "GET /v1/policies with none",
        "GET /v1/policies with garbage",
    ]
