"""`architecture.md`, promise 4, over a real socket: whoever has a receipt is not used against it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from events.streams import Position
from tests.http.serving import Served, serving
from tests.simulation.opt_out_trial import PURPOSE, Answered, Ask, Change, Crowd, beside, prepare, run_beside

ROUNDS = 30
LONG_FACTOR = 10
PEOPLE = ["ana", "bo", "cy"]
SEED = 9

pytestmark = pytest.mark.timeout(300)


@contextmanager
def over_http(served: Served) -> Iterator[tuple[Ask, Change]]:
    """Ask and record as a service does that has a token."""
    headers = {"Authorization": f"Bearer {served.token('check', 'record')}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=30) as client:

        def ask(individual: str, after: Position | None) -> Answered:
            body = {"individual": individual, "purpose": PURPOSE}
            freshness = {} if after is None else {"after": after.encode(), "wait_ms": 10_000}
            answer = client.post("/v1/check", json=body | freshness).raise_for_status().json()
            return Answered(answer["permitted"], answer["reason"])

        def change(individual: str, decision: str) -> Position:
            purposes = ["website"] if decision == "opt_out" else [PURPOSE]
            body = {"individual": individual, "decision": decision, "purposes": purposes}
            receipt = client.post("/v1/choices", json=body).raise_for_status().json()
            return Position.decode(receipt["position"])

        yield ask, change


def test_nobody_is_used_after_a_receipt(tmp_path: Path, long_run: bool, count: Callable[..., None]) -> None:
    """Opt-outs and checks through the endpoints: a check after a receipt knows of it, whoever else asks."""
    with serving(tmp_path) as served, over_http(served) as (ask, change):
        crowd = Crowd(served.service.ledger, ask, SEED, change=change)
        trial = crowd.run(ROUNDS * (LONG_FACTOR if long_run else 1))
    count("opt-outs over HTTP", acknowledged=trial.acknowledged, asked=trial.asked, stale=trial.stale)
    assert trial.findings == []
    assert trial.stale == 0


def test_nobody_is_used_after_a_receipt_of_another_process(tmp_path: Path, long_run: bool) -> None:
    """A position from the command line's side, passed as `after`, is known to the service that answers."""
    with serving(tmp_path) as served, over_http(served) as (ask, _):
        prepare(served.service.ledger, PEOPLE)
        trial = run_beside(ask, beside(tmp_path), PEOPLE, ROUNDS * (LONG_FACTOR if long_run else 1))
    assert trial.findings == []
    assert trial.stale == 0


def test_a_check_after_a_position_that_never_comes_is_stale(tmp_path: Path) -> None:
    """A position beyond the log is waited for as long as the caller says, and then nothing is permitted."""
    with serving(tmp_path) as served, over_http(served) as (ask, change):
        prepare(served.service.ledger, PEOPLE)
        position = change("ana", "opt_in")
        assert ask("ana", position) == Answered(True, "opted_in")
        ahead = Position.of(position.generation, [(s, o + 1) for s, o in position.as_dict().items()])
        headers = {"Authorization": f"Bearer {served.token('check')}"}
        body = {"individual": "ana", "purpose": PURPOSE, "after": ahead.encode(), "wait_ms": 20}
        answer = httpx.post(f"{served.url}/v1/check", json=body, headers=headers).json()
        assert (answer["permitted"], answer["reason"]) == (False, "stale")
