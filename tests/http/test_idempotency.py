"""``Idempotency-Key`` over HTTP: a call that is sent again is carried out once, whatever happens between."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from choice_ledger.http.admission import TENANT_THREADS_MAX
from choice_ledger.http.endpoints import Call, Reply
from choice_ledger.http.idempotency import event_id_of
from choice_ledger.http.table import ENDPOINTS
from choice_ledger.used_keys import UsedKeysFault
from tests.http.planting import PLANTED, row
from tests.http.serving import Served, serving
from tests.tidy.source import ROOT

DESCRIBED = {"individual": "ida", "jurisdiction": "US", "populations": ["visitor"], "locale": "en"}
WITHIN_S = 20.0
STAGES = ("derived", "claimed", "appended", "answered")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with its own endpoints, and with two that wait as long as they are told."""
    with serving(tmp_path_factory.mktemp("home"), endpoints=(*ENDPOINTS, *PLANTED)) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {served.token()}"}) as client:
        yield client


def send(
    client: httpx.Client, key: str, body: object = None, path: str = "/v1/descriptions"
) -> httpx.Response:
    headers = {"Idempotency-Key": key}
    return client.post(path, json=DESCRIBED if body is None else body, headers=headers)


def kind_of(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).removeprefix("/problems/")


def test_the_same_call_is_carried_out_once(client: httpx.Client) -> None:
    """The second answer bears the first one's event, and says that it is a repetition."""
    first, second = send(client, '"once"'), send(client, '"once"')
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["event_id"] == second.json()["event_id"] == event_id_of("main", "once")
    assert second.json()["repeated"] is True
    history = client.get("/v1/individuals/ida/history").text
    assert history.count(event_id_of("main", "once")) >= 1


def test_quotes_do_not_make_another_key(client: httpx.Client) -> None:
    """A key is the same with the quotes of the draft and without them."""
    assert send(client, '"quoted"').status_code == 201
    assert send(client, "quoted").status_code == 200


@pytest.mark.parametrize("difference", ["body", "space", "path", "query"])
def test_a_key_is_for_one_call_alone(client: httpx.Client, difference: str) -> None:
    """With another body, another byte of it, another path or another query, the key is refused."""
    key = f"used-{difference}"
    assert send(client, key, {}, "/v1/waits").status_code == 200
    path = {"path": "/v1/other-waits", "query": "/v1/waits?"}.get(difference, "/v1/waits")
    content = {"body": b'{"wait_s":0.0}', "space": b"{ }"}.get(difference, b"{}")
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    again = client.post(path, content=content, headers=headers)
    if difference == "query":  # An empty query is no query: the call is the same.
        assert again.status_code == 200
        return
    assert (again.status_code, kind_of(again)) == (422, "idempotency_key_reused")


def test_a_call_under_way_is_not_begun_again(client: httpx.Client) -> None:
    """While a call with the key has not ended, another is told to wait; then it is carried out."""
    with ThreadPoolExecutor() as pool:
        sent = [pool.submit(send, client, "slow", {"wait_s": 1.0}, "/v1/waits") for _ in range(2)]
        done, waiting = sorted((call.result() for call in sent), key=lambda answer: answer.status_code)
    assert done.status_code == 200
    assert (waiting.status_code, kind_of(waiting)) == (409, "in_flight")
    assert int(waiting.headers["Retry-After"]) >= 1
    assert send(client, "slow", {"wait_s": 1.0}, "/v1/waits").status_code == 200


def test_a_call_that_was_broken_off_frees_its_key(served: Served, client: httpx.Client) -> None:
    """A client that went away leaves nothing behind that would keep its key from being used again."""
    hasty = httpx.Client(timeout=0.2, headers=client.headers, base_url=served.url)
    with hasty, pytest.raises(httpx.TimeoutException):
        send(hasty, "hasty", {"wait_s": 0.6}, "/v1/waits")
    until = time.monotonic() + 10
    while (answer := send(client, "hasty", {"wait_s": 0.6}, "/v1/waits")).status_code != 200:
        assert (kind_of(answer), time.monotonic() < until) == ("in_flight", True)
        time.sleep(0.05)


def test_many_calls_at_once_share_the_writing_of_their_keys(client: httpx.Client) -> None:
    """Sixty calls with keys of their own, all at once, are each told the id of their own key."""
    with ThreadPoolExecutor(20) as pool:
        keys = [f"crowd-{number}" for number in range(60)]
        answers = list(pool.map(lambda key: send(client, key, {}, "/v1/waits"), keys))
    assert [answer.json()["event_id"] for answer in answers] == [event_id_of("main", key) for key in keys]


def test_a_key_beside_an_event_id_is_refused(client: httpx.Client) -> None:
    """One of the two names the event: with both, nobody could say which."""
    body = {**DESCRIBED, "event_id": "01890000-0000-7000-8000-000000000001"}
    answer = send(client, "both", body)
    assert (answer.status_code, kind_of(answer)) == (422, "refused")
    assert [fault["field"] for fault in answer.json()["errors"]] == ["event_id"]


@pytest.mark.parametrize("key", ['"open', '""', "two words", "k" * 256])
def test_a_malformed_key_is_refused(client: httpx.Client, key: str) -> None:
    """What is no key is refused as the header that it is, and nothing is recorded."""
    answer = send(client, key)
    assert (answer.status_code, kind_of(answer)) == (400, "invalid_header")
    assert key not in answer.text


def test_two_keys_are_refused(served: Served, client: httpx.Client) -> None:
    """Of two keys, no two readers need take the same."""
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "two"), *client.headers.items()]
    answer = httpx.post(f"{served.url}/v1/descriptions", json=DESCRIBED, headers=headers)
    assert (answer.status_code, kind_of(answer)) == (400, "invalid_header")


def test_tenants_have_keys_of_their_own(served: Served, client: httpx.Client) -> None:
    """The same key of another tenant is another key, for another event."""
    mine = send(client, "shared")
    headers = {"Authorization": f"Bearer {served.token(tenant='second')}"}
    with httpx.Client(base_url=served.url, headers=headers) as other:
        theirs = send(other, "shared", {**DESCRIBED, "individual": "otto"})
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json()["event_id"] != theirs.json()["event_id"]


def test_a_refused_body_leaves_its_key_free(client: httpx.Client) -> None:
    """A call whose body was refused has recorded nothing, and mended it may be sent with the same key."""
    assert send(client, "mend", {"individual": ""}).status_code == 422
    assert send(client, "mend").status_code == 201


def test_where_keys_cannot_be_kept_nothing_is_recorded(
    served: Served, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that cannot be written down ends the call before anything is appended."""

    def broken(*_: object) -> None:
        raise UsedKeysFault("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(served.service.idempotency._used, "claim", broken)
        answer = send(client, "unkept", {**DESCRIBED, "individual": "nobody"})
    assert (answer.status_code, kind_of(answer)) == (503, "unavailable")
    assert send(client, "unkept", {**DESCRIBED, "individual": "nobody"}).status_code == 201


def test_a_key_is_remembered_by_the_next_process(tmp_path: Path) -> None:
    """The service that follows on the same home refuses the key for another call, and knows the same one."""
    with serving(tmp_path) as first, first.client() as client:
        assert send(client, "kept").status_code == 201
    with serving(tmp_path) as second, second.client() as client:
        assert send(client, "kept").json()["repeated"] is True
        assert kind_of(send(client, "kept", {**DESCRIBED, "locale": "de"})) == "idempotency_key_reused"


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_any_point_the_call_can_be_sent_again(tmp_path: Path, stage: str) -> None:
    """Killed after the id was derived, the key claimed, the event appended, or before the receipt went out:
    the same call, sent again, records the event once; and from the claim on the key is for it alone.
    """
    arguments = [sys.executable, "-m", "tests.http.dying", str(tmp_path), stage]
    done = subprocess.run(arguments, cwd=ROOT, check=False, capture_output=True, env={**os.environ})
    assert done.returncode == 9, done.stderr.decode()[-2_000:]
    with serving(tmp_path) as survivor, survivor.client() as client:
        if stage != "derived":
            assert kind_of(send(client, "mortal", {**DESCRIBED, "locale": "de"})) == "idempotency_key_reused"
        answer = send(client, "mortal")
        was_recorded = stage in {"appended", "answered"}
        assert (answer.status_code, answer.json()["repeated"]) == (
            (200, True) if was_recorded else (201, False)
        )
        lines = client.get("/v1/events").text.splitlines()
        assert sum(event_id_of("main", "mortal") in line for line in lines) == 1


def test_a_key_does_not_wait_for_another_tenants_work(tmp_path: Path) -> None:
    """Keys of all tenants are claimed together, and wait for the threads of none."""
    gate = threading.Event()

    async def hold(call: Call) -> Reply:
        await call.service.write(lambda: gate.wait(WITHIN_S))
        return Reply()

    holding = row("/v1/holds", hold, takes_body=True, open=False, scopes=frozenset({"record"}))
    served_with_it = serving(tmp_path, endpoints=(*ENDPOINTS, *PLANTED, holding))
    with served_with_it as served, ThreadPoolExecutor(TENANT_THREADS_MAX + 1) as pool:
        try:
            flood = httpx.Client(
                base_url=served.url, headers={"Authorization": f"Bearer {served.token(tenant='flood')}"}
            )
            calm = httpx.Client(base_url=served.url, headers={"Authorization": f"Bearer {served.token()}"})
            with flood, calm:
                held = [
                    pool.submit(flood.post, "/v1/holds", json={}, timeout=WITHIN_S)
                    for _ in range(TENANT_THREADS_MAX)
                ]
                while served.service.admission.waiting(served.service.writers) < TENANT_THREADS_MAX:
                    time.sleep(0.005)
                first = pool.submit(send, flood, "of-the-flood", {}, "/v1/waits")
                time.sleep(0.2)
                assert send(calm, "of-the-calm", {}, "/v1/waits").status_code == 200
                gate.set()
                assert first.result(WITHIN_S).status_code == 200
                assert all(each.result(WITHIN_S).status_code == 200 for each in held)
        finally:
            gate.set()
