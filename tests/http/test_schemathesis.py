"""schemathesis tries every operation on a real service: what the OpenAPI document says is what happens."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from choice_ledger.http.endpoints import JSON, Answered, Endpoint
from choice_ledger.http.table import ENDPOINTS
from tests.cli.running import EXAMPLES, Cli
from tests.http.fuzzing import fuzz
from tests.http.serving import serving

# Another seed tries other values: `CHOICE_LEDGER_TEST_SEED=7 make tests PYTEST_ARGS="-k schemathesis"`.
SEED_DEFAULT = 20261124
EXAMPLES_CI = 5
EXAMPLES_LONG = 50

OPERATION = "livez"


def seed() -> int:
    """The seed of this run."""
    return int(os.environ.get("CHOICE_LEDGER_TEST_SEED", SEED_DEFAULT))


@pytest.mark.timeout(1_900)
def test_what_is_documented_is_what_happens(
    tmp_path: Path, long_run: bool, count: Callable[..., None]
) -> None:
    """No documented call of any kind, good or bad, ends in an answer that the document does not know.

    The ledger has the example's policy in force, so that good calls get beyond the first refusal.
    """
    home = tmp_path / "home"
    Cli(home).does("policy", "publish", str(EXAMPLES / "telemate" / "website-and-services.v1.yaml"), "--now")
    with serving(home) as served:
        found = fuzz(
            ENDPOINTS,
            url=served.url,
            token=served.token(),
            reports=tmp_path,
            seed=seed(),
            examples=EXAMPLES_LONG if long_run else EXAMPLES_CI,
        )
    count("schemathesis", seed=seed(), operations=found.operations, cases=found.cases)
    assert found.failures == {}, found.told
    assert found.operations == len(ENDPOINTS)
    assert found.cases > found.operations


def other(row: Endpoint, **changes: object) -> list[Endpoint]:
    """The table with one row that says something else than its endpoint does."""
    return [replace(row, **changes) if one is row else one for one in ENDPOINTS]  # type: ignore[arg-type]  # The changes are the fields of a row.


AN_OBJECT = Answered(status=200, description="An object.", content={JSON: {"type": "object"}})
A_LIST = Answered(status=200, description="A list.", content={JSON: {"type": "array"}})
LIVEZ = next(row for row in ENDPOINTS if row.operation == OPERATION)
OPENAPI = next(row for row in ENDPOINTS if row.operation == "openapi")
PLANTED = {
    "UndefinedContentType": (OPERATION, other(LIVEZ, answers=(AN_OBJECT,))),
    "UndefinedStatusCode": (
        OPERATION,
        other(LIVEZ, answers=(replace(LIVEZ.answers[0], status=204, content={}),)),
    ),
    "JsonSchemaError": ("openapi", other(OPENAPI, answers=(A_LIST,))),
}


@pytest.mark.parametrize("failure", PLANTED)
@pytest.mark.timeout(300)
def test_a_planted_wrong_row_is_caught(failure: str, tmp_path: Path) -> None:
    """A row that documents another status, type or schema than its endpoint answers is found, by its name."""
    operation, rows = PLANTED[failure]
    with serving(tmp_path / "home") as served:
        found = fuzz(
            rows,
            url=served.url,
            token=served.token(),
            reports=tmp_path,
            seed=seed(),
            examples=1,
            more=("--include-operation-id", operation),
        )
    assert found.operations == 1
    assert failure in found.failures, found.told
