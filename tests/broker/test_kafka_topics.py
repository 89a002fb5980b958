"""The ledger's topics: created as they must be, and refused for every single thing that is weaker."""

import pytest
from kafka.admin import ConfigResource, ConfigResourceType
from msgspec.structs import replace

from ledger.kafka_log import KafkaLogSettings, open_kafka_log
from ledger.kafka_topics import (
    PARTITIONS_DEFAULT,
    PARTITIONS_MAX,
    SETTINGS,
    Deviation,
    TopicFacts,
    TopicPlan,
    TopicsUnfit,
    administration,
    create_topics,
    describe,
    deviations_from,
    verify_topics,
)
from ledger.log import LogFault
from tests.broker.jvm_broker import free_port
from tests.broker.test_kafka_log import plan_for
from tests.contract.log_workshop import WornClock

pytestmark = pytest.mark.broker

WEAKER = {
    "cleanup.policy": "compact",
    "retention.ms": "604800000",
    "retention.bytes": "1073741824",
    "unclean.leader.election.enable": "true",
    "message.timestamp.type": "CreateTime",
    "compression.type": "producer",
    "max.message.bytes": "1048588",
}
"""For each setting that is verified, a value that Kafka takes and the ledger must not."""


@pytest.fixture
def plan(kafka_brokers: str, topic_prefix: str) -> TopicPlan:
    """Topics of two partitions that were just created."""
    plan = plan_for(topic_prefix, 2)
    assert create_topics(kafka_brokers, plan) == (plan.individuals, plan.policies)
    return plan


def facts_of(plan: TopicPlan, **different: object) -> dict[str, TopicFacts]:
    """What brokers would tell of topics exactly as the plan has them, the individuals' one apart."""
    settings = {**SETTINGS, "min.insync.replicas": str(plan.min_insync_replicas)}
    facts = {
        name: TopicFacts(
            name=name,
            topic_id="00000000-0000-4000-8000-000000000000",
            partitions=plan.partitions or PARTITIONS_DEFAULT if name == plan.individuals else 1,
            replicas=plan.replication_factor,
            settings=settings,
        )
        for name in plan.names.values()
    }
    facts[plan.individuals] = replace(facts[plan.individuals], **different)
    return facts


def set_on_topic(brokers: str, topic: str, setting: str, value: str) -> None:
    """Alter one setting of a topic, as an operator might."""
    with administration(brokers) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {setting: value})])


def test_created_topics_are_as_they_must_be(kafka_brokers: str, plan: TopicPlan) -> None:
    """What was created passes what is verified; creating again creates nothing and changes nothing."""
    assert verify_topics(kafka_brokers, plan) == ()
    assert create_topics(kafka_brokers, plan) == ()
    assert verify_topics(kafka_brokers, plan) == ()
    with administration(kafka_brokers) as admin:
        facts = describe(admin, plan)
    assert facts[plan.individuals].partitions == 2
    assert facts[plan.policies].partitions == 1


def test_every_setting_is_tried(plan: TopicPlan) -> None:
    """There is a weaker value for each setting that is verified, so that none goes untested."""
    assert WEAKER.keys() == SETTINGS.keys()


def test_each_weaker_setting_is_named(kafka_brokers: str, plan: TopicPlan) -> None:
    """Each setting, weakened on a real topic, is the one deviation; set as the remedy says, it is none."""
    for setting, value in WEAKER.items():
        set_on_topic(kafka_brokers, plan.individuals, setting, value)
        (deviation,) = verify_topics(kafka_brokers, plan)
        assert (deviation.topic, deviation.setting, deviation.found) == (plan.individuals, setting, value)
        assert deviation.wanted == SETTINGS[setting]
        assert (
            f"--entity-name {plan.individuals} --add-config {setting}={SETTINGS[setting]}" in deviation.remedy
        )
        set_on_topic(kafka_brokers, plan.individuals, setting, deviation.wanted)
        assert verify_topics(kafka_brokers, plan) == ()


def test_a_weaker_topic_is_not_opened(kafka_brokers: str, plan: TopicPlan) -> None:
    """The log does not open on a weaker topic: the error names the topic, the setting and the remedy."""
    set_on_topic(kafka_brokers, plan.policies, "retention.ms", "1000")
    settings = KafkaLogSettings(brokers=kafka_brokers, plan=plan)
    with pytest.raises(
        TopicsUnfit, match=r"retention\.ms is 1000, not -1\. Run: kafka-configs\.sh"
    ) as refused:
        open_kafka_log(settings, WornClock())
    assert [deviation.topic for deviation in refused.value.deviations] == [plan.policies]


def test_fewer_copies_than_planned_are_named(kafka_brokers: str, plan: TopicPlan) -> None:
    """On real topics with one copy, a plan for three copies, two in sync, finds both of both topics."""
    wanting = replace(plan, replication_factor=3, min_insync_replicas=2)
    found = [(d.topic, d.setting, d.found) for d in verify_topics(kafka_brokers, wanting)]
    assert found == [
        (topic, setting, "1")
        for topic in (plan.individuals, plan.policies)
        for setting in ("replication factor", "min.insync.replicas")
    ]


def test_other_partitions_than_planned_are_named(kafka_brokers: str, plan: TopicPlan) -> None:
    """A plan that counts on three partitions refuses two; a plan that takes any number takes them."""
    (deviation,) = verify_topics(kafka_brokers, replace(plan, partitions=3))
    assert (deviation.setting, deviation.wanted, deviation.found) == ("partitions", "3", "2")
    assert "fixed for ever" in deviation.remedy
    assert verify_topics(kafka_brokers, replace(plan, partitions=None)) == ()


def test_missing_topics_are_named(kafka_brokers: str, topic_prefix: str) -> None:
    """Topics that do not exist are deviations, are not created by asking, and are not opened."""
    plan = plan_for(topic_prefix, 2)
    for _ in range(2):
        found = verify_topics(kafka_brokers, plan)
        assert [(d.topic, d.found) for d in found] == [
            (plan.individuals, "missing"),
            (plan.policies, "missing"),
        ]
        assert all("topics create" in d.remedy for d in found)
    with pytest.raises(TopicsUnfit, match="topics create"):
        open_kafka_log(KafkaLogSettings(brokers=kafka_brokers, plan=plan), WornClock())


def test_too_few_brokers_for_the_copies_is_said(kafka_brokers: str, topic_prefix: str) -> None:
    """A plan for more copies than there are brokers creates nothing, and says what to do."""
    plan = replace(plan_for(topic_prefix, 2), replication_factor=100, min_insync_replicas=2)
    with pytest.raises(LogFault, match="needs 100 brokers"):
        create_topics(kafka_brokers, plan)
    assert {d.found for d in verify_topics(kafka_brokers, plan)} == {"missing"}


def test_no_broker_is_said(topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens the fault names the address, instead of a stack of the client."""
    monkeypatch.setattr("ledger.kafka_topics.ADMIN_TIMEOUT_MS", 500)
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(LogFault, match=f"no Kafka broker answers at {address}"):
        verify_topics(address, plan_for(topic_prefix, 2))


@pytest.mark.parametrize(
    ("different", "setting"),
    [
        ({"replicas": 2}, "replication factor"),
        ({"partitions": 5}, "partitions"),
        ({"settings": {**SETTINGS, "min.insync.replicas": "1"}}, "min.insync.replicas"),
        ({"settings": dict(SETTINGS)}, "min.insync.replicas"),
    ],
)
def test_one_less_than_planned_is_one_deviation(different: dict[str, object], setting: str) -> None:
    """At the plan there is no deviation; one copy, partition or synchronous copy less is exactly one."""
    plan = TopicPlan(partitions=6)
    assert deviations_from(plan, facts_of(plan)) == ()
    found: list[Deviation] = list(deviations_from(plan, facts_of(plan, **different)))
    assert [deviation.setting for deviation in found] == [setting]


def test_more_copies_than_planned_are_welcome() -> None:
    """More copies, and more of them in sync, are no deviation."""
    plan = TopicPlan(partitions=6)
    more = facts_of(plan, replicas=5, settings={**SETTINGS, "min.insync.replicas": "4"})
    assert deviations_from(plan, more) == ()


@pytest.mark.parametrize("impossible_partitions", [0, -1, PARTITIONS_MAX + 1])
def test_a_plan_within_the_limits(impossible_partitions: int) -> None:
    """One partition and the most are planned; none and one more than the most are refused."""
    for possible in (1, PARTITIONS_MAX):
        assert TopicPlan(partitions=possible).partitions == possible
    with pytest.raises(ValueError, match="partitions"):
        TopicPlan(partitions=impossible_partitions)


def test_a_plan_is_possible() -> None:
    """More copies in sync than copies, none in sync, and one topic for two streams are refused."""
    with pytest.raises(ValueError, match="min_insync_replicas"):
        TopicPlan(replication_factor=2, min_insync_replicas=3)
    with pytest.raises(ValueError, match="min_insync_replicas"):
        TopicPlan(min_insync_replicas=0)
    with pytest.raises(ValueError, match="two topics"):
        TopicPlan(individuals="x", policies="x")


def test_doing_with_less_is_said() -> None:
    """The plan of the promises waives nothing; each copy less is a waiver that says what it is instead of."""
    assert TopicPlan().waivers == ()
    assert TopicPlan(replication_factor=5, min_insync_replicas=3).waivers == ()
    assert TopicPlan(replication_factor=2).waivers == ("replication factor 2 instead of 3",)
    assert TopicPlan(replication_factor=1, min_insync_replicas=1).waivers == (
        "replication factor 1 instead of 3",
        "min.insync.replicas 1 instead of 2",
    )
