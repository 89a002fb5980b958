"""The command line with its log on Kafka: the same answers, digest and endings as on the embedded log."""

import json
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker.with_kafka import ADDRESS, LONE
from tests.cli.lines import choice_line, choice_lines
from tests.cli.running import EXAMPLES, TENANT, Cli

EVENT_ID = "0197f3a0-0000-7000-8000-000000000001"
FILES = [str(EXAMPLES / file) for file in ("telemate/policies.ndjson", "people.ndjson")]

pytestmark = pytest.mark.broker


@pytest.fixture(autouse=True)
def log_handlers() -> Iterator[None]:
    """Commands on Kafka set up logging to a stream that ends with them; the next test has its own again."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def kafka(kafka_brokers: str, topic_prefix: str, tmp_path: Path) -> Cli:
    """The command line on a ledger whose topics, of three partitions, have just been created."""
    environment = {
        ADDRESS: kafka_brokers,
        **LONE,
        "CHOICE_LEDGER_KAFKA_TOPIC_INDIVIDUALS": f"{topic_prefix}individuals",
        "CHOICE_LEDGER_KAFKA_TOPIC_POLICIES": f"{topic_prefix}policies",
        "CHOICE_LEDGER_KAFKA_PARTITIONS": "3",
        "CHOICE_LEDGER_TENANT": TENANT,
    }
    cli = Cli(tmp_path / "on-kafka", environment)
    created = cli.does("topics", "create").out
    assert f"created {topic_prefix}individuals" in created
    return cli


def events_of(cli: Cli) -> list[dict[str, object]]:
    """Every event as the log has it, waivers left out."""
    return [event for event in cli.exported() if event["type"] != "SafeguardWaived"]


def test_the_example_has_the_same_answers_and_digest(kafka: Cli, tmp_path: Path) -> None:
    """Imported on Kafka, the example has its answers, and the digest that it has on the embedded log."""
    embedded = Cli(tmp_path / "embedded", {"CHOICE_LEDGER_TENANT": TENANT})
    for cli in (kafka, embedded):
        assert cli.does("import", "--json", *FILES).json["recorded"] == 54
    digest = embedded.does("digest").out
    assert kafka.does("digest").out == digest
    assert kafka.does("rebuild").out == digest
    questions = str(EXAMPLES / "questions.ndjson")
    answers = (EXAMPLES / "answers.ndjson").read_text(encoding="utf-8")
    assert kafka.does("check", "--questions", questions).out == answers
    assert kafka.does("why", "ana", "website.periodic_email", "--recipient", "adco").out


def test_an_import_again_adds_nothing(kafka: Cli) -> None:
    """Kafka knows no repetitions, so the import itself looks for what is held already."""
    assert kafka.does("import", "--json", "-", stdin=choice_lines(20)).json["recorded"] == 20
    again = kafka.does("import", "--json", "-", stdin=choice_lines(25)).json
    assert (again["already_held"], again["recorded"]) == (20, 5)
    assert len(events_of(kafka)) == 25
    changed = kafka("import", "-", stdin=choice_line(1, decision="opt_in"))
    assert (changed.code, "`event_id` names another event already" in changed.err) == (1, True)
    assert len(events_of(kafka)) == 25


def test_a_repeated_command_is_one_event(kafka: Cli) -> None:
    """One id and content has one receipt on Kafka too, and other content under it is refused."""
    command = ("choice", "record", "ana", "--opt-out", "website", "--event-id", EVENT_ID, "--json")
    first = kafka.does(*command).json
    again = kafka.does(*command).json
    assert (again["recorded_at"], again["repeated"]) == (first["recorded_at"], True)
    assert kafka("choice", "record", "ana", "--opt-out", "hr", "--event-id", EVENT_ID).code == 1
    (event,) = events_of(kafka)
    assert event["occurred_at"] == event["recorded_at"]


def test_a_recorded_choice_is_in_the_next_answer(kafka: Cli) -> None:
    """A receipt's position passed back gets an answer that knows of the event, from another state too."""
    kafka.does("import", *FILES)
    asked = ("check", "ana", "website.surveys", "--json")
    assert kafka.does(*asked).json["permitted"]
    position = kafka.does("choice", "record", "ana", "--opt-out", "website", "--json").json["position"]
    elsewhere = Cli(kafka.home.with_name("elsewhere"), kafka.environment)
    for cli in (kafka, elsewhere):
        assert cli.does(*asked, "--after", position).json["reason"] == "opted_out"


def test_a_waived_safeguard_is_on_record_once(kafka: Cli) -> None:
    """Fewer copies than three are a waiver, put on record once however many commands there are."""
    for _ in range(3):
        kafka.does("check", "ana", "website.surveys")
    waived = [event["what"] for event in kafka.exported() if event["type"] == "SafeguardWaived"]
    assert sorted(waived) == [
        "min.insync.replicas 1 instead of 2",
        "replication factor 1 instead of 3",
    ]


def test_topics_are_verified(kafka: Cli) -> None:
    """Topics as the settings say pass; asked for more partitions than there are, they do not."""
    assert "as they must be" in kafka.does("topics", "verify").out
    assert "every topic exists" in kafka.does("topics", "create").out
    more = Cli(kafka.home, {**kafka.environment, "CHOICE_LEDGER_KAFKA_PARTITIONS": "4"})
    done = more("topics", "verify", "--json")
    assert done.code == 6
    assert "partitions is 3, not 4" in json.loads(done.out)["deviations"][0]


def test_topics_that_are_missing_are_told(kafka: Cli, topic_prefix: str) -> None:
    """Without topics a command ends as unavailable, and says how to create them."""
    names = {"CHOICE_LEDGER_KAFKA_TOPIC_POLICIES": f"{topic_prefix}nowhere"}
    done = Cli(kafka.home, {**kafka.environment, **names})("check", "ana", "website.surveys")
    assert done.code == 5
    assert "choice-ledger topics create" in done.err


def test_the_doctor_looks_at_the_brokers(kafka: Cli) -> None:
    """The doctor finds the brokers' clock near, the topics as they must be, and the ledger's generation."""
    findings = {finding["check"]: finding for finding in kafka.does("doctor", "--json").json}
    assert findings["clock"]["state"] == "ok"
    assert findings["topics"]["state"] == "ok"
    assert kafka.environment[ADDRESS] in findings["ledger"]["message"]


def test_each_ledger_on_kafka_has_a_state_of_its_own(kafka: Cli) -> None:
    """The state's file bears the ledger's generation, so that it can never be taken for another's."""
    kafka.does("digest")
    generation = next(line for line in kafka.does("export").lines if line["type"] == "LedgerBegun")[
        "generation"
    ]
    assert (kafka.home / f"state-kafka-{generation}.db").exists()


def test_the_demo_on_kafka(kafka_brokers: str, tmp_path: Path) -> None:
    """The demo walks through the same answers on Kafka, in topics of its own, within ten seconds."""
    embedded = Cli(tmp_path / "embedded").does("demo").out
    started = time.monotonic()
    on_kafka = Cli(tmp_path / "on-kafka", {ADDRESS: kafka_brokers}).does("demo").out
    assert time.monotonic() - started < 10
    answers = re.compile(r"^   (own use|to adco) .*$", re.MULTILINE)
    assert answers.findall(on_kafka) == answers.findall(embedded)
    assert "All 40 questions of the example" in on_kafka
    assert "choice-ledger-demo.individuals" in on_kafka
