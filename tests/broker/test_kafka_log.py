"""The log on Kafka passes the suite of every log, on a real broker, with one partition and with several."""

from collections.abc import Iterator

import pytest

from ledger.kafka_log import KafkaLog, KafkaLogSettings, open_kafka_log
from ledger.kafka_topics import TopicPlan, create_topics
from tests.contract.event_log_contract import LogContract
from tests.contract.log_workshop import Workshop, WornClock

pytestmark = pytest.mark.broker


def plan_for(prefix: str, partitions: int) -> TopicPlan:
    """Topics of a test's own, on a broker that is alone."""
    return TopicPlan(
        individuals=f"{prefix}individuals",
        policies=f"{prefix}policies",
        partitions=partitions,
        replication_factor=1,
        min_insync_replicas=1,
    )


class TestKafkaLog(LogContract):
    """The contract of a log, on Kafka."""

    @pytest.fixture
    def workshop(self, kafka_brokers: str, topic_prefix: str) -> Iterator[Workshop]:
        """Handles on topics that the first of them makes."""
        settings = KafkaLogSettings(brokers=kafka_brokers, plan=plan_for(topic_prefix, 3))

        def open_handle(clock: WornClock) -> KafkaLog:
            create_topics(settings.brokers, settings.plan)
            return open_kafka_log(settings, clock)

        workshop = Workshop(open_handle)
        yield workshop
        workshop.close()
