"""How often who may call, over real HTTP: at each limit, past it, and what a flood leaves to others."""

import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest

from choice_ledger.http.admission import FAILURES_AT_ONCE_MAX
from choice_ledger.token_text import token_text
from tests.http.matrix import kind_of
from tests.http.serving import Served, serving

BURST = 20
QUESTION = {"individual": "ana", "purpose": "website.email"}
# What a call may come to take beside a flood of another tenant, on two processors that others use too.
CHECK_MS_MAX = 500.0


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that lets each token call twenty times at once, and then twice a second."""
    with serving(tmp_path_factory.mktemp("slow") / "home", rate_per_s=2.0, rate_burst=BURST) as running:
        yield running


def statuses(client: httpx.Client, count: int) -> list[int]:
    return [client.post("/v1/check", json=QUESTION).status_code for _ in range(count)]


def test_a_token_may_call_as_often_as_its_burst_and_then_waits(slow: Served) -> None:
    """Past the burst a call is refused with when to come again, and then it is let in."""
    with slow.client("check") as client:
        assert statuses(client, BURST) == [200] * BURST
        refused = client.post("/v1/check", json=QUESTION)
        while refused.status_code == 200:  # What was given back while the burst was used up.
            refused = client.post("/v1/check", json=QUESTION)
        assert (refused.status_code, kind_of(refused)) == (429, "rate_limited")
        wait_s = int(refused.headers["Retry-After"])
        assert wait_s >= 1
        time.sleep(wait_s)
        assert client.post("/v1/check", json=QUESTION).status_code == 200


def test_every_kind_of_call_counts_alike(slow: Served) -> None:
    """Reading, asking and recording take from one bucket, and so does a call that ends in a refusal."""
    with slow.client() as client:
        for number in range(BURST // 4):
            client.get("/v1/policies")
            client.post("/v1/check", json=QUESTION)
            client.post("/v1/choices", json={})
            client.get(f"/v1/policies/none-{number}/versions")
        seen = {client.get("/v1/policies").status_code for _ in range(BURST)}
    assert 429 in seen


def test_another_token_of_the_same_tenant_is_let_in(slow: Served) -> None:
    """Each token has a bucket of its own."""
    with slow.client("check") as flood, slow.client("check") as calm:
        assert 429 in statuses(flood, BURST * 2)
        assert calm.post("/v1/check", json=QUESTION).status_code == 200


def test_a_batch_costs_as_many_calls_as_its_questions(slow: Served) -> None:
    """One call with many questions is as dear as many calls, and empties the bucket as they do."""
    half = {"questions": [QUESTION] * (BURST // 2)}
    with slow.client("check") as client:
        seen = [client.post("/v1/checks", json=half).status_code for _ in range(4)]
    assert seen[0] == 200
    assert seen[-1] == 429
    with slow.client("check") as client:
        assert client.post("/v1/checks", json={"questions": [QUESTION] * BURST}).status_code in {200, 429}
        assert client.post("/v1/checks", json=half).status_code == 429


def test_open_endpoints_have_no_limit(slow: Served) -> None:
    """A probe is answered however often it asks."""
    with httpx.Client(base_url=slow.url) as client:
        assert {client.get("/livez").status_code for _ in range(BURST * 3)} == {200}


def calling_from(served: Served, peer: str, token: str) -> httpx.Client:
    """A client whose connections come from an address of its own."""
    transport = httpx.HTTPTransport(local_address=peer)
    return httpx.Client(
        base_url=served.url, headers={"Authorization": f"Bearer {token}"}, transport=transport
    )


def failed(served: Served, peer: str, count: int) -> list[httpx.Response]:
    with calling_from(served, peer, token_text("0" * 43)) as client:
        return [client.get("/v1/policies") for _ in range(count)]


def codes(answers: list[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_an_address_may_fail_so_often_and_no_more(served: Served) -> None:
    """Past the limit a bad token is not even called bad; another address is told so still."""
    first = codes(failed(served, "127.0.113.1", FAILURES_AT_ONCE_MAX))
    assert first == [401] * FAILURES_AT_ONCE_MAX
    assert 429 in codes(failed(served, "127.0.113.1", FAILURES_AT_ONCE_MAX))
    assert codes(failed(served, "127.0.113.2", 1)) == [401]


def test_a_good_token_is_let_in_where_others_guess(served: Served) -> None:
    """Many callers may share an address: a flood of bad tokens locks none of the good ones out."""
    while codes(failed(served, "127.0.113.9", 10))[-1] != 429:
        pass
    with calling_from(served, "127.0.113.9", served.token("check")) as client:
        assert client.post("/v1/check", json=QUESTION).status_code == 200


def test_a_refusal_says_when_to_come_again(served: Served) -> None:
    """Failures are given back in less than a second each."""
    refused = [a for a in failed(served, "127.0.113.17", FAILURES_AT_ONCE_MAX + 20) if a.status_code == 429]
    assert refused
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}


class Flood:
    """A tenant that asks for as much as it can, over connections of its own, until it is told to stop."""

    def __init__(self, served: Served, connections: int) -> None:
        self._served = served
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=[n]) for n in range(connections)]
        self._begun = [threading.Event() for _ in range(connections)]
        self.calls = 0

    def __enter__(self) -> Self:
        """Begin, and come back once every connection has been answered: before, there is no flood yet."""
        for thread in self._threads:
            thread.start()
        if not all(begun.wait(30) for begun in self._begun):
            self.__exit__()
            raise AssertionError("a connection of the flood was not answered")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        with self._served.client("audit", "record", tenant="flood") as client:
            while not self._stop.is_set():
                body = {"individual": f"p{self.calls}", "decision": "opt_out", "purposes": ["*"]}
                assert client.post("/v1/choices", json=body).status_code == 201
                assert client.get("/v1/events", params={"limit": 100}).status_code == 200
                self.calls += 2
                self._begun[number].set()


def times_ms(client: httpx.Client, count: int) -> list[float]:
    """How long so many checks take, one after another."""
    taken = []
    for _ in range(count):
        begun = time.perf_counter()
        assert client.post("/v1/check", json=QUESTION).status_code == 200
        taken.append((time.perf_counter() - begun) * 1_000)
    return taken


def test_the_flood_of_one_tenant_leaves_the_checks_of_another_quick(tmp_path: Path) -> None:
    """While one tenant writes and reads all that it can, another's checks are answered, most of them soon."""
    with serving(tmp_path / "home") as served, served.client("check", tenant="calm") as client:
        times_ms(client, 20)
        with Flood(served, 8) as flood:
            before = flood.calls
            beside = times_ms(client, 300)
            meanwhile = flood.calls - before
    assert meanwhile > 20, "nothing was going on beside the checks"
    assert statistics.median(beside) < CHECK_MS_MAX, "half of the checks beside a flood take too long"
