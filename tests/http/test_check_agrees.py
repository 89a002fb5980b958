"""Over HTTP nothing is permitted that another surface denies: the same bytes from the store, the command
line and every form of the check, on random worlds and while they change.
"""

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from choice_ledger.settings import Settings
from choice_ledger.wiring import open_ledger
from events.lines import parse_line
from ledger.log import Proposal
from projections.question_lines import format_decision, parse_question
from projections.reader import ReadModel
from tests.cli.running import Cli
from tests.http.serving import Served, serving
from tests.simulation.histories import generate
from tests.simulation.naive_facts import Line
from tests.simulation.opt_out_trial import PURPOSE, prepare

WORLDS = 8
SEED = 20_261_124
NDJSON = {"Content-Type": "application/x-ndjson"}

pytestmark = pytest.mark.timeout(300)


def recorded(home: Path, lines: list[Line]) -> None:
    """Put a world into a ledger, as it was recorded."""
    with open_ledger(Settings(home=str(home))) as ledger:
        parsed = [parse_line(msgspec.json.encode(line)) for line in lines]
        ledger.log.append([Proposal(line.event, line.recorded_at) for line in parsed])


def by_tenant(questions: list[Line]) -> Iterator[tuple[str, list[Line]]]:
    """The questions of each tenant, without the tenant: over HTTP the token says it."""
    ordered = sorted(questions, key=lambda question: str(question["tenant"]))
    for tenant, asked in itertools.groupby(ordered, key=lambda question: str(question["tenant"])):
        yield tenant, [{name: value for name, value in q.items() if name != "tenant"} for q in asked]


def of_the_store(served: Served, tenant: str, asked: list[Line]) -> list[bytes]:
    """The lines of the decisions, from a read model of its own that keeps nothing at hand."""
    ledger = served.service.ledger
    reader = ReadModel(ledger.store, ledger.source.slice_of, ledger.clock)
    enquiries = [parse_question(msgspec.json.encode(question), tenant) for question in asked]
    return [format_decision(reader.answer(enquiry).decision) for enquiry in enquiries]


def line_of(member: bytes) -> bytes:
    """The line of a decision out of what HTTP says: its first five members, as they stand there."""
    said = json.loads(member)
    kept = {name: said[name] for name in ("permitted", "reason", "policy", "evidence", "until")}
    line = msgspec.json.encode(kept)
    assert member.startswith(line[:-1])
    return line


def asked_alone(client: httpx.Client, asked: list[Line]) -> list[bytes]:
    answers = [client.post("/v1/check", json=question) for question in asked]
    assert {answer.status_code for answer in answers} <= {200}
    return [line_of(answer.content) for answer in answers]


def asked_together(client: httpx.Client, asked: list[Line]) -> list[bytes]:
    answer = client.post("/v1/checks", json={"questions": asked})
    assert answer.status_code == 200
    raw = msgspec.json.decode(answer.content, type=dict[str, msgspec.Raw])
    return [line_of(bytes(each)) for each in msgspec.json.decode(raw["decisions"], type=list[msgspec.Raw])]


def asked_in_lines(client: httpx.Client, asked: list[Line]) -> list[bytes]:
    content = b"".join(msgspec.json.encode(question) + b"\n" for question in asked)
    answer = client.post("/v1/checks", content=content, headers=NDJSON)
    assert answer.status_code == 200
    return [line_of(line) for line in answer.content.splitlines()]


@pytest.mark.parametrize("number", range(WORLDS))
def test_every_surface_decides_alike(number: int, tmp_path: Path) -> None:
    """Store, command line, single checks, batches and lines give the same bytes; each is asked twice, so that
    what is at hand answers too.
    """
    lines, questions = generate(random.Random(SEED + number))
    recorded(tmp_path, lines)
    with serving(tmp_path) as served:
        for tenant, asked in by_tenant(questions):
            expected = of_the_store(served, tenant, asked)
            with served.client("check", tenant=tenant) as client:
                for _ in range(2):
                    assert asked_alone(client, asked) == expected
                    assert asked_together(client, asked) == expected
                    assert asked_in_lines(client, asked) == expected
            content = b"".join(msgspec.json.encode(question) + b"\n" for question in asked)
            command = Cli(tmp_path, {"CHOICE_LEDGER_TENANT": tenant})
            done = command.does("check", "--questions", "-", stdin=content)
            assert done.out.encode().splitlines() == expected


def test_what_is_recorded_meanwhile_is_answered_at_once(served: Served) -> None:
    """Four hundred choices, each followed by checks after its receipt, each of them the answer of then."""
    dice, people, denied = random.Random(SEED), [f"met{number}" for number in range(5)], 0
    ledger = served.service.ledger
    prepare(ledger, people)
    reader = ReadModel(ledger.store, ledger.source.slice_of, ledger.clock)
    with served.client("check", "record") as client:
        for _ in range(400):
            person, decision = dice.choice(people), dice.choice(("opt_out", "opt_in"))
            choice = {"individual": person, "decision": decision, "purposes": [PURPOSE]}
            receipt = client.post("/v1/choices", json=choice).raise_for_status().json()
            question = {"individual": person, "purpose": PURPOSE}
            said = client.post("/v1/check", json={**question, "after": receipt["position"]})
            together = client.post("/v1/checks", json={"questions": [question]}).json()["decisions"][0]
            enquiry = parse_question(msgspec.json.encode(question), "main")
            assert line_of(said.content) == format_decision(reader.answer(enquiry).decision)
            assert said.json()["permitted"] == together["permitted"] == (decision == "opt_in")
            denied += not together["permitted"]
    assert 100 < denied < 300
