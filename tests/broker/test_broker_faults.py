"""Through kills and freezes of the broker nothing acknowledged is missing, and no outcome is told wrongly."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from events.instants import SECOND
from events.streams import INDIVIDUALS, Position, Slice
from ledger.kafka_log import KafkaLog, KafkaLogSettings, open_kafka_log
from ledger.kafka_topics import TopicPlan, administration, create_topics
from ledger.log import Acknowledged, Outcome, Proposal, Rejected, Unknown
from tests.broker.fault_run import FaultRun, Finding, count, ids_of, judge, unknown_ids
from tests.broker.jvm_broker import JvmBroker, JvmCluster
from tests.broker.test_kafka_log import plan_for
from tests.contract.event_log_contract import InterruptedLogContract
from tests.contract.log_workshop import Workshop, WornClock
from tests.contract.sample_events import choice

pytestmark = pytest.mark.broker

WRITERS = 8
DEADLINE = 3 * SECOND
CALM_S = 1.0
"""How long the writers write undisturbed before each fault."""

AWAY_S = 8.0
"""Longer than the brokers take to see that one of them is gone, and to choose other leaders."""

FREEZE_SHORT_S = 1.0
FREEZE_LONG_S = DEADLINE / SECOND + 2


@contextmanager
def kafka_log(broker: JvmBroker, prefix: str) -> Iterator[KafkaLog]:
    """A new log with a short deadline."""
    settings = KafkaLogSettings(brokers=broker.bootstrap, plan=plan_for(prefix, 3), deadline=DEADLINE)
    create_topics(settings.brokers, settings.plan)
    log = open_kafka_log(settings, WornClock())
    try:
        yield log
    finally:
        log.close()


def kill_and_restart(broker: JvmBroker) -> None:
    """Kill the broker; it is back as soon as it can be, some seconds later."""
    broker.restart()


def stay_away(broker: JvmBroker) -> None:
    """Kill the broker, and leave it dead for longer than a deadline."""
    broker.kill()
    time.sleep(DEADLINE / SECOND + 1)
    broker.start()


def freeze_briefly(broker: JvmBroker) -> None:
    """Stop the broker for less than a deadline."""
    broker.freeze()
    time.sleep(FREEZE_SHORT_S)
    broker.thaw()


def freeze_past_the_deadline(broker: JvmBroker) -> None:
    """Stop the broker for longer than a deadline; what it had taken lands late."""
    broker.freeze()
    time.sleep(FREEZE_LONG_S)
    broker.thaw()


FAULTS = (kill_and_restart, freeze_briefly, stay_away, freeze_past_the_deadline)


@pytest.mark.timeout(900)
def test_outcomes_are_true_through_kills_and_freezes(
    faulty_broker: JvmBroker, topic_prefix: str, fault_scale: int, request: pytest.FixtureRequest
) -> None:
    """While the broker is killed and frozen under eight writers, every outcome that is told is true."""
    with kafka_log(faulty_broker, topic_prefix) as log:
        run = FaultRun(log, WornClock(), WRITERS)
        with run.writing():
            for fault in FAULTS * fault_scale:
                time.sleep(CALM_S)
                fault(faulty_broker)
            time.sleep(CALM_S)
        told = run.told
        assert judge(told, log, DEADLINE) == []
        counts = {kind.__name__.lower(): count(told, kind) for kind in (Acknowledged, Unknown, Rejected)}
        landed = len(unknown_ids(told) & ids_of(log))
        write_down = request.getfixturevalue("count")
        write_down("broker faults", faults=len(FAULTS) * fault_scale, **counts, unknown_in_the_log=landed)
        assert all(counts.values()), "a run in which one outcome never occurs proves nothing of it"


MISSING = "acknowledged stands in its place"


class TimeoutsToldAsAcknowledged:
    """A planted bug: what timed out is told as acknowledged, at the end of its slice."""

    def __init__(self, log: KafkaLog) -> None:
        self._log = log
        self.unknown: set[str] = set()

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        """Append, and lie."""
        return tuple(self._lie(outcome) for outcome in self._log.append(proposals))

    def _lie(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Unknown):
            return outcome
        self.unknown.add(outcome.event_id)
        position = Position.of(self._log.generation, [(Slice(INDIVIDUALS, 0), 1)])
        return Acknowledged(event_id=outcome.event_id, recorded_at=0, position=position)


class AcknowledgementsToldAsRejected:
    """A planted bug: every hundredth acknowledgement is told as a rejection."""

    def __init__(self, log: KafkaLog) -> None:
        self._log = log
        self._appends = 0

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        """Append, and lie now and then."""
        self._appends += 1
        outcomes = self._log.append(proposals)
        if self._appends % 100 or not isinstance(outcomes[0], Acknowledged):
            return outcomes
        lie = Rejected(event_id=outcomes[0].event_id, reason="clock", field="recorded_at", message="")
        return (lie, *outcomes[1:])


class BatchesTurnedRound:
    """A planted bug: a batch is appended from its end to its beginning, and the outcomes are put right."""

    def __init__(self, log: KafkaLog) -> None:
        self._log = log

    def append(self, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        """Append in the wrong order."""
        return tuple(reversed(self._log.append(list(reversed(proposals)))))


def sentences(findings: Sequence[Finding]) -> set[str]:
    """The sentences that were broken."""
    return {finding.sentence for finding in findings}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_any_one_of_three_brokers_may_be_lost(
    jvm_cluster: JvmCluster, topic_prefix: str, request: pytest.FixtureRequest
) -> None:
    """On verified topics of three copies each broker in turn is killed and comes back with an empty disk.

    Nothing acknowledged is missing, no outcome is told wrongly, and writing goes on while one is away.
    """
    settings = KafkaLogSettings(
        brokers=jvm_cluster.bootstrap,
        plan=TopicPlan(
            individuals=f"{topic_prefix}individuals", policies=f"{topic_prefix}policies", partitions=6
        ),
        deadline=10 * SECOND,
    )
    create_topics(settings.brokers, settings.plan)
    log = open_kafka_log(settings, WornClock())
    try:
        run = FaultRun(log, WornClock(), WRITERS)
        with run.writing():
            for broker in jvm_cluster.brokers:
                time.sleep(CALM_S)
                broker.kill()
                time.sleep(AWAY_S)
                before = count(run.told, Acknowledged)
                time.sleep(CALM_S)
                assert count(run.told, Acknowledged) > before, "two of three are enough"
                shutil.rmtree(broker.folder / "data")
                broker.start()
                wait_for_copies(settings)
        assert judge(run.told, log, settings.deadline) == []
        counts = {kind.__name__.lower(): count(run.told, kind) for kind in (Acknowledged, Unknown, Rejected)}
        write_down = request.getfixturevalue("count")
        write_down("brokers lost, one of three at a time", brokers=len(jvm_cluster.brokers), **counts)
    finally:
        log.close()


def wait_for_copies(settings: KafkaLogSettings) -> None:
    """Wait until every partition has its three copies in sync again."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with administration(settings.brokers) as admin:
            topics = admin.describe_topics(list(settings.plan.names.values()))
        if all(len(partition["isr_nodes"]) == 3 for topic in topics for partition in topic["partitions"]):
            return
        time.sleep(0.5)
    pytest.fail("the broker that came back did not catch up")


def test_what_ended_unknown_is_never_sent_later_and_lies_about_it_are_caught(
    faulty_broker: JvmBroker, topic_prefix: str
) -> None:
    """What ended unknown while the broker was dead is in no log afterwards: its client went with it.

    Told as acknowledged, it is found out: the judge sees a timeout that was taken for a success.
    """
    with kafka_log(faulty_broker, topic_prefix) as log:
        liar = TimeoutsToldAsAcknowledged(log)
        run = FaultRun(liar, WornClock(), WRITERS)
        faulty_broker.kill()
        with run.writing():
            time.sleep(DEADLINE / SECOND)
        faulty_broker.start()
        assert isinstance(log.append([Proposal(choice(0))])[0], Acknowledged)
        stored = ids_of(log)
        findings = judge(run.told, log, DEADLINE)
    assert liar.unknown
    assert not liar.unknown & stored
    assert {finding.event_id for finding in findings if finding.sentence == MISSING} == liar.unknown


def test_the_judge_catches_lies_without_any_fault(faulty_broker: JvmBroker, topic_prefix: str) -> None:
    """Acknowledged events told as rejected, and batches out of order, are found out in calm weather."""
    for bug, sentence in (
        (AcknowledgementsToldAsRejected, "rejected is absent"),
        (BatchesTurnedRound, "in the writer's order"),
    ):
        with kafka_log(faulty_broker, f"{topic_prefix}{bug.__name__}.") as log:
            run = FaultRun(bug(log), WornClock(), WRITERS)
            with run.writing():
                time.sleep(CALM_S)
            assert sentences(judge(run.told, log, DEADLINE)) == {sentence}


class TestInterruptedKafkaLog(InterruptedLogContract):
    """The contract of a log that is cut off from what makes it durable: a frozen broker."""

    @pytest.fixture
    def workshop(self, faulty_broker: JvmBroker, topic_prefix: str) -> Iterator[Workshop]:
        """Handles with a short deadline on a broker that can be frozen."""
        plan = plan_for(topic_prefix, 3)
        settings = KafkaLogSettings(brokers=faulty_broker.bootstrap, plan=plan, deadline=DEADLINE)

        def open_handle(clock: WornClock) -> KafkaLog:
            create_topics(settings.brokers, settings.plan)
            return open_kafka_log(settings, clock)

        @contextmanager
        def frozen() -> Iterator[None]:
            faulty_broker.freeze()
            try:
                yield
            finally:
                faulty_broker.thaw()

        workshop = Workshop(open_handle, frozen)
        yield workshop
        workshop.close()
