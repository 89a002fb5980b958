"""The ledger's topics on Kafka: created as the promises need them, and verified before anything is written.

Source: ``architecture.md``, *The log*, and ``events.md``. A topic that could lose, change or reorder an event
is refused, unless the plan says to do with less; what a plan does with less stands in its ``waivers``, and
the caller records each as a ``SafeguardWaived``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import msgspec
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError

import ledger.kafka_sockets  # noqa: F401 - closes what kafka-python leaves open.
from events.streams import INDIVIDUALS, POLICIES, Stream
from ledger.log import LogFault

REPLICATION_FACTOR: Final = 3
"""Copies of each partition, so that any one broker may be lost."""

MIN_INSYNC_REPLICAS: Final = 2
"""Copies that must hold an event before it is acknowledged."""

RECORD_BYTES_ON_TOPIC: Final = 98_304
"""The topics' ``max.message.bytes``: a value of 64 KiB, its key and headers, and Kafka's own format."""

PARTITIONS_MAX: Final = 1_000
"""Partitions of the individuals' topic: each costs every reader a buffer, and a position some characters."""

PARTITIONS_DEFAULT: Final = 6
"""Partitions of the individuals' topic where the operator does not choose. They are fixed for ever."""

ADMIN_TIMEOUT_MS: Final = 10_000
"""How long the brokers may take to be found, and to answer each question."""

SETTINGS: Final[Mapping[str, str]] = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "unclean.leader.election.enable": "false",
    "message.timestamp.type": "LogAppendTime",
    "compression.type": "uncompressed",
    "max.message.bytes": str(RECORD_BYTES_ON_TOPIC),
}
"""What every topic of a ledger is set to, besides the copies: kept for ever, never compacted, dated by the
broker, and without compression, because the client inflates a batch without a limit."""


class TopicPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The topics of one ledger. Fewer copies than the defaults are a waiver; no ``partitions``, any."""

    individuals: str = "consent.individuals"
    policies: str = "consent.policies"
    partitions: int | None = None
    replication_factor: int = REPLICATION_FACTOR
    min_insync_replicas: int = MIN_INSYNC_REPLICAS

    def __post_init__(self) -> None:
        """Refuse a plan that no topic can follow."""
        if self.partitions is not None and not 1 <= self.partitions <= PARTITIONS_MAX:
            raise ValueError(f"`partitions` must be from 1 to {PARTITIONS_MAX}")
        if not 1 <= self.min_insync_replicas <= self.replication_factor:
            raise ValueError("`min_insync_replicas` must be from 1 to `replication_factor`")
        if self.individuals == self.policies:
            raise ValueError("the two streams need two topics")

    @property
    def names(self) -> dict[Stream, str]:
        """The topic of each stream."""
        return {INDIVIDUALS: self.individuals, POLICIES: self.policies}

    @property
    def waivers(self) -> tuple[str, ...]:
        """The safeguards that this plan does without, each a ``what`` of ``SafeguardWaived``."""
        lesser = []
        if self.replication_factor < REPLICATION_FACTOR:
            lesser.append(f"replication factor {self.replication_factor} instead of {REPLICATION_FACTOR}")
        if self.min_insync_replicas < MIN_INSYNC_REPLICAS:
            lesser.append(f"min.insync.replicas {self.min_insync_replicas} instead of {MIN_INSYNC_REPLICAS}")
        return tuple(lesser)


class Deviation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about a topic that is not as the ledger needs it."""

    topic: str
    setting: str
    wanted: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.found}, not {self.wanted}. {self.remedy}"


class TopicsUnfit(LogFault):
    """The topics may lose, change or reorder events; ``deviations`` says how, and what to do."""

    def __init__(self, deviations: tuple[Deviation, ...]) -> None:
        """Name every deviation in the message."""
        super().__init__("; ".join(str(deviation) for deviation in deviations))
        self.deviations = deviations


class TopicFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A topic as the brokers describe it. ``replicas`` is the smallest number of copies of any partition."""

    name: str
    topic_id: str
    partitions: int
    replicas: int
    settings: dict[str, str]


Security: TypeAlias = tuple[tuple[str, str], ...]


@contextmanager
def administration(brokers: str, security: Security = ()) -> Iterator[Any]:
    """A short-lived administration client. Raises LogFault if no broker answers, or one refuses."""
    make: Any = KafkaAdminClient
    try:
        client = make(
            bootstrap_servers=brokers.split(","),
            bootstrap_timeout_ms=ADMIN_TIMEOUT_MS,
            request_timeout_ms=ADMIN_TIMEOUT_MS,
            **dict(security),
        )
    except KafkaError as fault:
        raise LogFault(f"no Kafka broker answers at {brokers}; start one, or correct the address") from fault
    try:
        yield client
    except KafkaError as fault:
        raise LogFault(f"Kafka at {brokers} refused: {fault!r}") from fault
    finally:
        client.close()


def create_topics(brokers: str, plan: TopicPlan, security: Security = ()) -> tuple[str, ...]:
    """Create those topics of the plan that do not exist, and name them. Raises LogFault.

    A topic that exists is left as it is: ``verify_topics`` says whether it will do.
    """
    created = []
    with administration(brokers, security) as admin:
        for stream, name in plan.names.items():
            if _create(admin, name, _partitions(stream, plan) or PARTITIONS_DEFAULT, plan):
                created.append(name)
        admin.wait_for_topics(list(plan.names.values()), ADMIN_TIMEOUT_MS)
    return tuple(created)


def verify_topics(brokers: str, plan: TopicPlan, security: Security = ()) -> tuple[Deviation, ...]:
    """Everything about the topics that is weaker than the plan, or nothing. Raises LogFault."""
    with administration(brokers, security) as admin:
        facts = describe(admin, plan)
    return deviations_from(plan, facts)


def describe(admin: Any, plan: TopicPlan) -> dict[str, TopicFacts]:  # noqa: ANN401 - kafka-python is untyped here.
    """The plan's topics as they are, by name; those that do not exist are left out."""
    names = list(plan.names.values())
    found = {topic["name"]: topic for topic in admin.describe_topics(names) if topic["error_code"] == 0}
    if not found:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in found]
    settings = admin.describe_configs(resources, config_filter="all")["topic"]
    return {name: _facts(topic, settings[name]) for name, topic in found.items()}


def deviations_from(plan: TopicPlan, facts: Mapping[str, TopicFacts]) -> tuple[Deviation, ...]:
    """What is weaker than the plan, topic by topic."""
    found: list[Deviation] = []
    for stream, name in plan.names.items():
        if name not in facts:
            found.append(_missing(name))
            continue
        found += _copies(plan, facts[name])
        found += _partition_deviations(_partitions(stream, plan), facts[name])
        found += _setting_deviations(facts[name])
    return tuple(found)


def _create(admin: Any, name: str, partitions: int, plan: TopicPlan) -> bool:  # noqa: ANN401 - see describe.
    settings = {**SETTINGS, "min.insync.replicas": str(plan.min_insync_replicas)}
    topic = {"num_partitions": partitions, "replication_factor": plan.replication_factor, "configs": settings}
    try:
        admin.create_topics({name: topic})
    except TopicAlreadyExistsError:
        return False
    except InvalidReplicationFactorError as fault:
        raise LogFault(
            f"{name} needs {plan.replication_factor} brokers, and there are fewer; start more, or waive the"
            " safeguard with a smaller replication factor (it is recorded)"
        ) from fault
    return True


def _partitions(stream: Stream, plan: TopicPlan) -> int | None:
    return 1 if stream == POLICIES else plan.partitions


def _facts(topic: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]]) -> TopicFacts:
    return TopicFacts(
        name=topic["name"],
        topic_id=str(topic["topic_id"]),
        partitions=len(topic["partitions"]),
        replicas=min(len(partition["replica_nodes"]) for partition in topic["partitions"]),
        settings={name: str(setting["value"]) for name, setting in settings.items()},
    )


def _missing(name: str) -> Deviation:
    remedy = "Create it with: choice-ledger topics create"
    return Deviation(topic=name, setting="the topic", wanted="there", found="missing", remedy=remedy)


def _copies(plan: TopicPlan, facts: TopicFacts) -> Iterator[Deviation]:
    if facts.replicas < plan.replication_factor:
        yield Deviation(
            topic=facts.name,
            setting="replication factor",
            wanted=f"at least {plan.replication_factor}",
            found=str(facts.replicas),
            remedy="Add copies with kafka-reassign-partitions.sh.",
        )
    in_sync = facts.settings.get("min.insync.replicas", "")
    if not in_sync.isdigit() or int(in_sync) < plan.min_insync_replicas:
        yield Deviation(
            topic=facts.name,
            setting="min.insync.replicas",
            wanted=f"at least {plan.min_insync_replicas}",
            found=in_sync or "unknown",
            remedy=_alter(facts.name, "min.insync.replicas", str(plan.min_insync_replicas)),
        )


def _partition_deviations(wanted: int | None, facts: TopicFacts) -> Iterator[Deviation]:
    if wanted is not None and facts.partitions != wanted:
        yield Deviation(
            topic=facts.name,
            setting="partitions",
            wanted=str(wanted),
            found=str(facts.partitions),
            remedy="They are fixed for ever: export, create topics of another name, and import.",
        )


def _setting_deviations(facts: TopicFacts) -> Iterator[Deviation]:
    for setting, wanted in SETTINGS.items():
        found = facts.settings.get(setting, "unknown")
        if found != wanted:
            remedy = _alter(facts.name, setting, wanted)
            yield Deviation(topic=facts.name, setting=setting, wanted=wanted, found=found, remedy=remedy)


def _alter(topic: str, setting: str, value: str) -> str:
    command = f"kafka-configs.sh --alter --entity-type topics --entity-name {topic}"
    return f"Run: {command} --add-config {setting}={value}"
