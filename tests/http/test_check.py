"""``POST /v1/check`` and ``POST /v1/checks``: what is asked, what is refused, and how fresh an answer is."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from choice_ledger.http.admission import THREADS_MAX
from choice_ledger.http.bodies import BODY_BYTES_MAX
from choice_ledger.http.check_bodies import LINES_BYTES_MAX
from choice_ledger.http.checking import READ_AT_ONCE_BYTES_MAX
from choice_ledger.http.questions import QUESTIONS_MAX
from choice_ledger.http.service import Service
from events.streams import Position
from projections.ports import StoreFault
from tests.http.serving import Served, serving
from tests.simulation.opt_out_trial import PURPOSE, change_mind, prepare

ASKED = {"individual": "ana", "purpose": PURPOSE}
STRANGER = {"individual": "nobody", "purpose": PURPOSE}
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that knows Ana and Cy, who were told and may opt out, and Bo, who has."""
    with serving(tmp_path_factory.mktemp("home")) as running:
        prepare(running.service.ledger, ["ana", "bo", "cy"])
        change_mind(running.service.ledger, "bo", "opt_out")
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    """Somebody who may check."""
    with served.client("check") as asking:
        yield asking


def kind_of(answer: httpx.Response) -> str:
    """The kind of a problem."""
    return str(answer.json()["type"]).removeprefix("/problems/")


def fields_of(answer: httpx.Response) -> list[str]:
    """The places of a problem's faults."""
    return [fault["field"] for fault in answer.json()["errors"]]


def test_a_permitted_use_is_told_with_its_reasons(client: httpx.Client) -> None:
    """Who was told and did not opt out: permitted, by the policy's version, on the events that decided."""
    said = client.post("/v1/check", json=ASKED).json()
    assert (said["permitted"], said["reason"]) == (True, "not_opted_out")
    assert said["policy"]["version"] == 1
    assert len(said["evidence"]) == 2
    assert Position.decode(said["position"]).offsets


def test_a_denial_is_an_answer(client: httpx.Client) -> None:
    """An opt-out, a stranger and an undeclared purpose are denied with 200, each for its own reason."""
    questions = [
        {"individual": "bo", "purpose": PURPOSE},
        STRANGER,
        {"individual": "ana", "purpose": "nothing"},
    ]
    reasons = ["opted_out", "not_told", "purpose_not_declared"]
    for question, reason in zip(questions, reasons, strict=True):
        answer = client.post("/v1/check", json=question)
        assert (answer.status_code, answer.json()["permitted"], answer.json()["reason"]) == (
            200,
            False,
            reason,
        )


def test_a_batch_is_answered_in_order_from_one_moment(client: httpx.Client) -> None:
    """Each decision is that of its question alone, and one position stands beside them all."""
    questions = [ASKED, {"individual": "bo", "purpose": PURPOSE}, STRANGER, ASKED]
    said = client.post("/v1/checks", json={"questions": questions}).json()
    alone = [client.post("/v1/check", json=question).json() for question in questions]
    assert said["position"] == alone[0]["position"]
    assert said["decisions"] == [{k: v for k, v in each.items() if k != "position"} for each in alone]


def test_a_batch_of_nothing_is_answered_with_nothing(client: httpx.Client) -> None:
    """No question, no decision, and no position that could mean anything."""
    assert client.post("/v1/checks", json={"questions": []}).json() == {"position": None, "decisions": []}


def test_lines_are_answered_in_lines(client: httpx.Client) -> None:
    """More lines than one moment takes: each is answered in its place, with its position."""
    people = ["ana", "bo"] * (QUESTIONS_MAX // 2 + 10)
    content = "\n".join(json.dumps({"individual": person, "purpose": PURPOSE}) for person in people)
    answer = client.post("/v1/checks", content=content, headers=NDJSON)
    said = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [each["permitted"] for each in said] == [person == "ana" for person in people]
    assert all(each["position"] for each in said)


def test_the_tenant_is_the_tokens(served: Served) -> None:
    """Another tenant's token finds nobody of ours, and no body can name a tenant."""
    with served.client("check", tenant="other") as other:
        assert other.post("/v1/check", json=ASKED).json()["reason"] == "purpose_not_declared"
        answer = other.post("/v1/check", json={**ASKED, "tenant": "main"})
        assert (answer.status_code, kind_of(answer)) == (422, "refused")


@pytest.mark.parametrize("path", ["/v1/check", "/v1/checks"])
def test_only_who_may_check_is_answered(served: Served, path: str) -> None:
    """Without a token, with one that is none, and with every other scope: refused, in JSON and in lines."""
    for headers in ({}, NDJSON):
        assert httpx.post(served.url + path, content=b"{}", headers=headers).status_code == 401
        wrong = {**headers, "Authorization": "Bearer clt_wrong"}
        assert httpx.post(served.url + path, content=b"{}", headers=wrong).status_code == 401
    with served.client("record", "officer", "publish", "audit", "admin") as others:
        answer = others.post(path, content=b"{}", headers={"Content-Type": "application/json"})
        assert (answer.status_code, kind_of(answer)) == (403, "scope_missing")


def test_every_fault_of_a_question_is_told_at_once(client: httpx.Client) -> None:
    """Five members, five faults, each by its name and none by its value."""
    question = {"individual": "a@b.example", "purpose": "?", "at": "soon", "wait_ms": -1, "after": "nowhere"}
    answer = client.post("/v1/check", json=question)
    assert (answer.status_code, kind_of(answer)) == (422, "refused")
    assert set(fields_of(answer)) == {"individual", "purpose", "at", "wait_ms", "after"}
    assert "a@b.example" not in answer.text


def test_every_fault_of_a_batch_is_told_with_its_place(client: httpx.Client) -> None:
    """The number of the question stands in the path of its faults, in JSON and in lines alike."""
    questions = [ASKED, {"individual": "ana"}, {**ASKED, "purpose": "?"}, {**ASKED, "data": ["", "a"]}]
    together = client.post("/v1/checks", json={"questions": questions})
    content = "\n".join(map(json.dumps, questions))
    in_lines = client.post("/v1/checks", content=content, headers=NDJSON)
    for answer in (together, in_lines):
        assert answer.status_code == 422
        assert fields_of(answer) == ["questions[1].purpose", "questions[2].purpose", "questions[3].data[0]"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"individual":"ana","individual":"bo","purpose":"a"}', "duplicate_name"),
        (b'{"individual":"\\ud800","purpose":"a"}', "malformed_json"),
        (b'{"individual":"\xff","purpose":"a"}', "malformed_json"),
        (b"[" * 100_000, "nested_too_deeply"),
        (b'{"individual":"ana","purpose":"a"', "malformed_json"),
        (b"", "malformed_json"),
    ],
)
def test_a_body_that_two_readers_may_understand_differently_is_refused(
    client: httpx.Client, content: bytes, kind: str
) -> None:
    """Names that stand twice, lone surrogates, other encodings, bombs, cut bodies: 400, in either call."""
    for path in ("/v1/check", "/v1/checks"):
        answer = client.post(path, content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, kind_of(answer)) == (400, kind)


def test_a_batch_is_as_long_as_its_limit(client: httpx.Client) -> None:
    """At the limit it is answered; past it it is refused, and the fault names the limit."""
    assert client.post("/v1/checks", json={"questions": [ASKED] * QUESTIONS_MAX}).status_code == 200
    answer = client.post("/v1/checks", json={"questions": [ASKED] * (QUESTIONS_MAX + 1)})
    assert (answer.status_code, fields_of(answer)) == (422, ["questions"])
    assert str(QUESTIONS_MAX) in answer.text


@pytest.mark.parametrize(
    ("path", "media_type", "limit"),
    [
        ("/v1/check", "application/json", BODY_BYTES_MAX),
        ("/v1/checks", "application/json", BODY_BYTES_MAX),
        ("/v1/checks", "application/x-ndjson", LINES_BYTES_MAX),
    ],
)
def test_a_body_is_as_large_as_its_limit(
    client: httpx.Client, path: str, media_type: str, limit: int
) -> None:
    """At the limit it is read; with one byte more it is refused."""
    question = json.dumps(
        ASKED if path == "/v1/check" or "nd" in media_type else {"questions": [ASKED]}
    ).encode()
    headers = {"Content-Type": media_type}
    assert client.post(path, content=question.ljust(limit), headers=headers).status_code == 200
    answer = client.post(path, content=question.ljust(limit + 1), headers=headers)
    assert (answer.status_code, kind_of(answer)) == (413, "body_too_large")


def test_another_type_of_body_is_not_read(client: httpx.Client) -> None:
    """A form is refused, and so are lines where one question is asked."""
    for path, media_type in (
        ("/v1/check", "text/plain"),
        ("/v1/checks", "text/csv"),
        ("/v1/check", *NDJSON.values()),
    ):
        answer = client.post(path, content=b"{}", headers={"Content-Type": media_type})
        assert (answer.status_code, kind_of(answer)) == (415, "unsupported_media_type")


def test_a_query_is_refused(client: httpx.Client) -> None:
    """Nothing is asked by the address, so a parameter there would go unheard: refused, in every form."""
    for content, media_type, path in (
        (json.dumps(ASKED), "application/json", "/v1/check?at=2026-05-03T09:00:00Z"),
        (json.dumps({"questions": []}), "application/json", "/v1/checks?wait_ms=5"),
        (json.dumps(ASKED), "application/x-ndjson", "/v1/checks?wait_ms=5"),
    ):
        for _ in range(3):
            answer = client.post(path, content=content, headers={"Content-Type": media_type})
            assert (answer.status_code, kind_of(answer)) == (400, "invalid_parameter")


def test_the_request_id_is_sent_back(client: httpx.Client) -> None:
    """On an answer, on lines and on a problem."""
    given = {"X-Request-Id": "01a20adf-7a44-7471-a9aa-16098ee8b851"}
    for path, content, media_type in (
        ("/v1/check", json.dumps(ASKED), "application/json"),
        ("/v1/checks", json.dumps(ASKED), "application/x-ndjson"),
        ("/v1/checks", "", "application/json"),
    ):
        answer = client.post(path, content=content, headers={**given, "Content-Type": media_type})
        assert answer.headers["x-request-id"] == given["X-Request-Id"]


@pytest.mark.parametrize("path", ["/v1/check", "/v1/checks"])
def test_other_methods_are_refused(client: httpx.Client, path: str) -> None:
    """Any method but POST is refused, and the answer says which one asks."""
    for method in ("GET", "PUT", "DELETE"):
        answer = client.request(method, path)
        assert answer.status_code == 405
        assert "POST" in answer.headers["allow"]


def test_an_answer_waits_for_what_it_must_include(served: Served, client: httpx.Client) -> None:
    """A position that is reached while the call waits: the answer includes what was recorded then."""
    question = {"individual": "cy", "purpose": PURPOSE}
    now = Position.decode(client.post("/v1/check", json=question).json()["position"])
    ahead = replace_offsets(now, 1).encode()
    told: list[httpx.Response] = []
    body = {**question, "after": ahead, "wait_ms": 20_000}
    waiting = threading.Thread(target=lambda: told.append(client.post("/v1/check", json=body)))
    waiting.start()
    change_mind(served.service.ledger, "cy", "opt_out")
    waiting.join()
    assert told[0].json()["reason"] == "opted_out"


def replace_offsets(position: Position, ahead: int) -> Position:
    """A position that lies so many events of individuals further."""
    offsets = ((s, offset + ahead * (s.stream == "individuals")) for s, offset in position.as_dict().items())
    return Position.of(position.generation, offsets)


def test_what_is_not_reached_in_time_is_denied(client: httpx.Client) -> None:
    """`stale`, with 200 and without a position, alone and for every question of a batch."""
    now = Position.decode(client.post("/v1/check", json=ASKED).json()["position"])
    later = {"after": replace_offsets(now, 1_000_000).encode(), "wait_ms": 0}
    alone = client.post("/v1/check", json={**ASKED, **later}).json()
    together = client.post("/v1/checks", json={"questions": [ASKED, STRANGER], **later}).json()
    assert (alone["permitted"], alone["reason"], alone["position"]) == (False, "stale", None)
    assert [each["reason"] for each in together["decisions"]] == ["stale", "stale"]


def test_another_ledgers_position_is_denied(client: httpx.Client) -> None:
    """`wrong_generation`: nothing here can be as fresh as something elsewhere."""
    elsewhere = Position.of("01a20adf-7a44-7471-a9aa-16098ee8b851", ()).encode()
    assert client.post("/v1/check", json={**ASKED, "after": elsewhere}).json()["reason"] == "wrong_generation"


def test_a_batch_counts_as_many_calls_as_it_has_questions(tmp_path: Path) -> None:
    """Ten calls at once are let in: a batch of nine and one more, not a batch of six and another of six."""
    with serving(tmp_path, rate_per_s=0.001, rate_burst=10) as served:
        with served.client("check") as first:
            assert first.post("/v1/checks", json={"questions": [ASKED] * 9}).status_code == 200
            assert first.post("/v1/check", json=ASKED).status_code == 200
            assert kind_of(first.post("/v1/check", json=ASKED)) == "rate_limited"
        with served.client("check") as second:
            lines = "\n".join([json.dumps(ASKED)] * 6)
            assert second.post("/v1/checks", content=lines, headers=NDJSON).status_code == 200
            assert kind_of(second.post("/v1/checks", content=lines, headers=NDJSON)) == "rate_limited"


class _Broken:
    """A store that fails whenever it is read."""

    individuals_at_hand = 0

    def at_hand(self, *_asked: object) -> None:
        return None

    at_hand_many = given_again = at_hand

    def answer_many(self, _enquiries: object) -> None:
        raise StoreFault("the state cannot be read")


def broken(service: Service) -> Service:
    """The same service, with nothing at hand and a store that cannot be read."""
    return replace(service, checks=_Broken())  # type: ignore[arg-type]  # It stands in for what fails.


def test_a_store_that_cannot_be_read_permits_nothing(tmp_path: Path) -> None:
    """Every form ends as `unavailable`, with 503, a request id, and no decision."""
    with serving(tmp_path, altered=broken) as served, served.client("check") as client:
        answers = [
            client.post("/v1/check", json=ASKED),
            client.post("/v1/checks", json={"questions": [ASKED]}),
            client.post("/v1/checks", content=json.dumps(ASKED), headers=NDJSON),
        ]
    assert [(answer.status_code, kind_of(answer)) for answer in answers] == [(503, "unavailable")] * 3
    assert all(answer.json()["request_id"] for answer in answers)


def test_a_state_that_is_too_old_permits_nothing(tmp_path: Path) -> None:
    """With no age allowed every form denies as `stale`, though the facts are there."""
    with serving(tmp_path, freshness_ms_max=0) as served, served.client("check") as client:
        prepare(served.service.ledger, ["ana"])
        alone = client.post("/v1/check", json=ASKED).json()
        together = client.post("/v1/checks", json={"questions": [ASKED]}).json()
        line = client.post("/v1/checks", content=json.dumps(ASKED), headers=NDJSON).json()
    assert {alone["reason"], together["decisions"][0]["reason"], line["reason"]} == {"stale"}


@pytest.mark.parametrize("form", ["together", "lines"])
@pytest.mark.parametrize(("beyond", "at_once"), [(0, True), (1, False)])
def test_a_long_batch_is_not_read_on_the_event_loop(
    tmp_path: Path, form: str, beyond: int, at_once: bool
) -> None:
    """A batch up to the limit is read at once; a longer one waits for a thread, and no other call for it."""
    gate = threading.Event()
    question = json.dumps(ASKED)
    content = question if form == "lines" else f'{{"questions":[{question}]}}'
    content += " " * (READ_AT_ONCE_BYTES_MAX + beyond - len(content))
    headers = NDJSON if form == "lines" else {"Content-Type": "application/json"}
    with serving(tmp_path) as served, served.client("check") as asking, ThreadPoolExecutor(1) as pool:
        prepare(served.service.ledger, ["ana"])
        assert asking.post("/v1/check", json=ASKED).json()["permitted"]  # So the facts are at hand.
        for _ in range(THREADS_MAX):
            served.service.readers.submit(gate.wait, 20)
        batch = pool.submit(asking.post, "/v1/checks", content=content, headers=headers)
        try:
            with served.client("check") as other:
                while not (batch.done() or served.service.admission.waiting(served.service.readers)):
                    assert other.post("/v1/check", json=ASKED).json()["permitted"]
            assert bool(served.service.admission.waiting(served.service.readers)) is not at_once
        finally:
            gate.set()
        assert '"permitted":true' in batch.result(20).text
