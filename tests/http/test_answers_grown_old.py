"""An answer that took its time: what was fresh when it was asked for may be too old when it is given."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from choice_ledger.disclosing import Disclosed, UseDenied, relying
from choice_ledger.http.admission import THREADS_MAX
from choice_ledger.settings import Settings
from choice_ledger.wiring import now, service_file
from consumers.following import Following
from events.envelope import Actor
from ledger.commands import Heard
from projections.decision import OutsideDenial
from projections.reader import Answer, Enquiry
from tests.http.serving import Served, serving
from tests.simulation.opt_out_trial import PURPOSE, prepare

AGE_MS_MAX = 500
WITHIN_S = 20.0

ASKED = {"individual": "ana", "purpose": PURPOSE}
WHO = {"subject": {"type": "service", "id": "mailer"}, "action": {"name": PURPOSE}}
ANA = {"resource": {"type": "individual", "id": "ana"}}
SEARCHED = {"resource": {"type": "individual"}}

DENIED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "check": ("POST", "/v1/check", ASKED),
    "checks": ("POST", "/v1/checks", {"questions": [ASKED]}),
    "why": ("POST", "/v1/why", ASKED),
    "evaluation": ("POST", "/access/v1/evaluation", WHO | ANA),
    "evaluations": ("POST", "/access/v1/evaluations", WHO | {"evaluations": [ANA, ANA]}),
}
"""What is answered with a denial, `stale`."""

REFUSED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "search": ("POST", "/access/v1/search/resource", WHO | SEARCHED),
    "permissions": ("GET", "/v1/individuals/ana/permissions", {}),
}
"""What is not answered at all."""


def halted_meanwhile(home: Path, call: tuple[str, str, dict[str, Any]]) -> Any:
    """The answer to a call that waits for a thread while the state is no longer followed."""
    gate = threading.Event()
    service_file(Settings(home=str(home))).add("main", "mailer", now())
    with serving(home, freshness_ms_max=AGE_MS_MAX) as served, served.client() as client:
        prepare(served.service.ledger, ["ana"])
        for _ in range(THREADS_MAX):
            served.service.readers.submit(gate.wait, WITHIN_S)
        method, path, body = call
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(client.request, method, path, json=body or None)
            try:
                until(lambda: served.service.admission.waiting(served.service.readers) > 0)
                halt(served)
            finally:
                gate.set()
            return answer.result(WITHIN_S)


def halt(served: Served) -> None:
    """Follow the state no more, and wait until it is too old to be answered from."""
    following = served.service.ledger.folding
    assert isinstance(following, Following)
    following.stop()
    until(lambda: following.age_ms() > AGE_MS_MAX)


def until(happens: Any) -> None:
    """Wait for it."""
    deadline = time.monotonic() + WITHIN_S
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("name", DENIED)
def test_an_answer_that_grew_too_old_is_a_denial(tmp_path: Path, name: str) -> None:
    """Who waited for a thread until the state was too old is denied by every surface that decides."""
    answer = halted_meanwhile(tmp_path, DENIED[name])
    assert answer.status_code == 200
    assert '"stale"' in answer.text
    assert '"permitted":true' not in answer.text
    assert '"decision":true' not in answer.text
    assert "not_opted_out" not in answer.text


@pytest.mark.parametrize("name", REFUSED)
def test_a_list_that_grew_too_old_is_refused(tmp_path: Path, name: str) -> None:
    """Who waited for a thread until the state was too old is told no list of what is permitted."""
    answer = halted_meanwhile(tmp_path, REFUSED[name])
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/stale")


def test_a_disclosure_is_judged_by_the_age_at_its_answer(tmp_path: Path) -> None:
    """Whether the state is too old for a disclosure is asked once its answer was read, not before."""
    with serving(tmp_path) as served:
        ledger = served.service.ledger
        prepare(ledger, ["ana"])
        order: list[str] = []

        def answer() -> Answer:
            order.append("answered")
            return served.service.checks.answer_many(
                [Enquiry(tenant="main", individual="ana", purpose=PURPOSE)]
            )[0]

        def denied() -> OutsideDenial | None:
            order.append("held against its age")
            return "stale"

        heard = Heard(event_id=ledger.new_id(), tenant="main", actor=Actor(kind="service"))
        disclosed = Disclosed(individual="ana", recipient="adco", purpose=PURPOSE)
        assert relying(ledger, disclosed, heard, answer, denied) == UseDenied(reason="stale")
    assert order == ["answered", "held against its age"]
