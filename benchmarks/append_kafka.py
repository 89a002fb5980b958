"""Acknowledged appends on Kafka, beside bare kafka-python: `python -m benchmarks.append_kafka`.

Each writer is a thread that sends one event after the other and waits for each acknowledgement. The floor
sends the same keys and values, encoded beforehand and without headers, to a topic of the same settings by
one bare producer with the same guarantees (`acks=all`, idempotent). The runs of a round follow each other.

The broker is the one that `CHOICE_LEDGER_KAFKA` names, else one from Docker or Maven that ends with this.
"""

import json
import os
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from kafka import KafkaProducer

from benchmarks.append import Row, choices, now, rows, together
from benchmarks.spread import Pair, summary
from events.individual_events import ChoiceMade
from ledger.kafka_log import KafkaLog, KafkaLogSettings, open_kafka_log
from ledger.kafka_topics import TopicPlan, create_topics
from ledger.log import Acknowledged, Proposal
from tests.broker.with_kafka import ADDRESS, kafka_at_hand

WRITERS_AND_EVENTS = ((1, 500), (16, 4_000), (64, 8_000))
ROUNDS = 5
PARTITIONS = 6
TARGET_RATIO = 0.5
ACKNOWLEDGED_WITHIN_S = 30


def open_log(brokers: str, replicas: int) -> KafkaLog:
    """A new ledger on topics of its own."""
    prefix = f"bench-{uuid.uuid4()}."
    plan = TopicPlan(
        individuals=f"{prefix}individuals",
        policies=f"{prefix}policies",
        partitions=PARTITIONS,
        replication_factor=replicas,
        min_insync_replicas=min(2, replicas),
    )
    settings = KafkaLogSettings(brokers=brokers, plan=plan)
    create_topics(brokers, plan)
    return open_kafka_log(settings, now)


def open_bare(brokers: str) -> Any:  # noqa: ANN401 — the stubs leave what a send returns untyped.
    """A producer that promises what the log does, and nothing else."""
    options: dict[str, Any] = {
        "bootstrap_servers": brokers.split(","),
        "acks": "all",
        "enable_idempotence": True,
        "metrics_enabled": False,
    }
    return KafkaProducer(**options)


def ours(log: KafkaLog, writers: int, events: Sequence[ChoiceMade]) -> float:
    """Acknowledged appends a second by so many threads."""

    def work(number: int) -> None:
        for event in events[number::writers]:
            (outcome,) = log.append((Proposal(event),))
            if not isinstance(outcome, Acknowledged):
                raise TypeError(outcome)

    return len(events) / together(writers, work)


def bare(producer: Any, topic: str, writers: int, records: Sequence[Row]) -> float:  # noqa: ANN401 — see open_bare.
    """Acknowledged sends a second by so many threads."""

    def work(number: int) -> None:
        for _, key, _, value in records[number::writers]:
            producer.send(topic, key=key, value=value).get(timeout=ACKNOWLEDGED_WITHIN_S)

    return len(records) / together(writers, work)


def measure(brokers: str, replicas: int) -> dict[str, object]:
    """Rates and ratios for each number of writers."""
    report: dict[str, object] = {"benchmark": "acknowledged appends, Kafka log beside bare kafka-python"}
    log, producer = open_log(brokers, replicas), open_bare(brokers)
    topic = f"bench-{uuid.uuid4()}.bare"
    create_topics(
        brokers,
        TopicPlan(
            individuals=topic,
            policies=f"{topic}-policies",
            partitions=PARTITIONS,
            replication_factor=replicas,
            min_insync_replicas=min(2, replicas),
        ),
    )
    warm = choices(200)
    bare(producer, topic, 1, rows(warm))
    ours(log, 1, warm)
    for writers, count in WRITERS_AND_EVENTS:
        pairs = []
        for _ in range(ROUNDS):
            events = choices(count)
            floor = bare(producer, topic, writers, rows(events))
            pairs.append(Pair(bare=floor, ours=ours(log, writers, events)))
        report[f"{writers} writers"] = summary(pairs)._asdict()
    producer.close()
    log.close()
    return report


def main() -> int:
    """Print, for each number of writers, both rates and their ratio."""
    with kafka_at_hand() as settings:
        found = {**os.environ, **settings}
        replicas = int(found.get("CHOICE_LEDGER_KAFKA_REPLICATION", "3"))
        report = measure(found[ADDRESS], replicas)
    print(json.dumps(report | {"target_ratio": TARGET_RATIO}, indent=1))
    ratios = [result["ratio"]["median"] for result in report.values() if isinstance(result, dict)]
    return 0 if min(ratios) >= TARGET_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
