"""What is folded from Kafka is what is folded from the embedded log, whatever the partitions."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaProducer

from events.union import Recorded
from ledger.kafka_log import KafkaLog, KafkaLogSettings, open_kafka_log
from ledger.kafka_topics import TopicPlan, create_topics
from ledger.log import Acknowledged, EventLog, Proposal
from ledger.sqlite_log import SqliteLog
from projections.digest import state_digest
from projections.memory_store import MemoryStore
from projections.ports import EventSource, StateStore
from projections.projector import Projector
from projections.sqlite_store import SqliteStore
from tests.contract.sample_events import new_id
from tests.simulation.logs import plain_facts, unrepeated, world_events

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

WORLDS = 40
BATCH = 500


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1_000


def many_events() -> list[Recorded]:
    """The events of many worlds, each with tenants of its own; some ids stand twice, with other content."""
    return [
        Recorded(msgspec.structs.replace(each.event, tenant=f"{each.event.tenant}-{seed}"), each.recorded_at)
        for seed in range(WORLDS)
        for each in world_events(seed)
    ]


def append(log: EventLog, events: list[Recorded]) -> None:
    """Import events. A log that knows repetitions may refuse one that has other content."""
    for begin in range(0, len(events), BATCH):
        batch = [Proposal(each.event, each.recorded_at) for each in events[begin : begin + BATCH]]
        for outcome in log.append(batch):
            assert isinstance(outcome, Acknowledged) or outcome.message, outcome


@contextmanager
def kafka_log(brokers: str, prefix: str, partitions: int) -> Iterator[tuple[KafkaLog, TopicPlan]]:
    """A fresh log on topics of its own."""
    plan = TopicPlan(
        individuals=f"{prefix}individuals-{partitions}",
        policies=f"{prefix}policies-{partitions}",
        partitions=partitions,
        replication_factor=1,
        min_insync_replicas=1,
    )
    create_topics(brokers, plan)
    with closing(open_kafka_log(KafkaLogSettings(brokers=brokers, plan=plan), now)) as log:
        yield log, plan


def folded(source: EventSource, store: StateStore, limit: int) -> tuple[str, dict[str, list[bytes]]]:
    """The digest of all that a log holds, and every individual's history."""
    reached = Projector(source, store).catch_up(limit=limit)
    assert Projector(source, store).position == reached, "the state is believed when it is opened again"
    history = {key: [entry.value for entry in store.history(key)] for key, _ in store.scan()}
    return state_digest(store), history


def test_any_log_and_any_partitions_give_the_same_state(
    kafka_brokers: str, topic_prefix: str, tmp_path: Path
) -> None:
    """The same lines in the embedded log, in one partition of Kafka and in six: one digest, one history."""
    events = many_events()
    with closing(SqliteLog(tmp_path / "log.sqlite", now, new_id)) as log:
        append(log, events)
        expected = folded(log, SqliteStore(tmp_path / "embedded.sqlite"), 10_000)
    assert set(expected[1]) == set(unrepeated(events))
    for partitions, limit in ((1, 10_000), (6, 97)):
        with kafka_log(kafka_brokers, topic_prefix, partitions) as (log, _):
            append(log, events)
            assert folded(log, SqliteStore(tmp_path / f"kafka-{partitions}.sqlite"), limit) == expected
            assert folded(log, MemoryStore(), 10_000) == expected


def test_what_others_write_into_the_topics_is_set_aside(kafka_brokers: str, topic_prefix: str) -> None:
    """Records that a foreign client wrote are quarantined, null values and keys too; the rest is folded."""
    events = world_events(3)
    with kafka_log(kafka_brokers, topic_prefix, 3) as (log, plan):
        append(log, events[: len(events) // 2])
        producer = KafkaProducer(bootstrap_servers=kafka_brokers, acks="all")
        for topic, key, value in (
            (plan.individuals, b"acme/zoe", b"not avro"),
            (plan.individuals, b"acme/zoe", None),
            (plan.individuals, None, b"\xc3\x01"),
            (plan.policies, b"zoetrope", b""),
        ):
            producer.send(topic, key=key, value=value).get(timeout=30)  # type: ignore[no-untyped-call]  # kafka-python has no type here.
        producer.close()
        append(log, events[len(events) // 2 :])
        store = MemoryStore()
        Projector(log, store).catch_up()
        assert dict(store.scan()) == plain_facts(events)
        denied = sorted((entry.scope, entry.subject) for entry in store.open_quarantine())
        assert denied[:2] == [("individual", "acme/zoe"), ("individual", "acme/zoe")]
        assert [scope for scope, _ in denied[2:]] == ["partition", "tenant"]
