"""The wiring: the only module that names adapters, reads the clock and makes ids.

Source: ``architecture.md``, *The parts*. Adapters are imported when they are chosen: Kafka's client takes
longer to import than the embedded log to answer.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import uuid_utils

from choice_ledger.content_store import ContentStore
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.ledger_at_hand import LedgerAtHand
from choice_ledger.recording import record_waivers
from choice_ledger.service_file import ServiceFile, ServicesAtHand, service_file_at
from choice_ledger.settings import Settings
from choice_ledger.token_file import TokenFile, TokensAtHand
from choice_ledger.used_keys import UsedKeys
from events.instants import Micros
from ledger.log import EventLog
from projections.ports import EventSource, StateStore, StoreFault
from projections.projector import Projector

if TYPE_CHECKING:
    from ledger.kafka_topics import TopicPlan

LOG_FILE: Final = "log.db"
"""The embedded log, in the home directory."""

CONTENT_DIRECTORY: Final = "content"
"""The texts by digest, in the home directory."""

USED_KEYS_FILE: Final = "idempotency-keys.db"
"""The used idempotency keys, in the home directory."""

TOKENS_FILE: Final = "tokens.json"
"""The tokens, in the home directory."""

SERVICES_FILE: Final = "services.json"
"""The ids of each tenant's own services, in the home directory."""

PRIVATE_UMASK: Final = 0o077
"""What is written is for its owner alone."""


class Log(EventLog, EventSource, Protocol):
    """An adapter of a log satisfies both ports."""


def now() -> Micros:
    """The clock: microseconds since the Unix epoch."""
    return time.time_ns() // 1_000


def new_id() -> str:
    """A new UUIDv7, which sorts by the time at which it was made."""
    return str(uuid_utils.uuid7())


def home_of(settings: Settings) -> Path:
    """The home directory, made where it is missing, and readable by its owner alone."""
    os.umask(PRIVATE_UMASK)
    home = Path(settings.home)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        message = f"cannot be made a directory ({fault.strerror}); name another with --home"
        raise Failure(ExitCode.USAGE, message, "home") from None
    return home


def begins_anew(settings: Settings) -> bool:
    """Whether opening the ledger would begin one in the home directory; one on Kafka needs topics first."""
    return not settings.brokers and not (Path(settings.home) / LOG_FILE).exists()


def open_log(settings: Settings) -> Log:
    """The log that the settings name. Raises LogFault where it cannot be used."""
    return _kafka_log(settings) if settings.brokers else _embedded_log(settings)


def state_path(settings: Settings, generation: str) -> Path:
    """The file of the state: one for the embedded log, one for each ledger on Kafka."""
    name = f"state-kafka-{generation}.db" if settings.brokers else "state.db"
    return home_of(settings) / name


def open_store(path: Path) -> StateStore:
    """The state in a file; a fresh one where there is none."""
    from projections.sqlite_store import SqliteStore

    return SqliteStore(path)


def _store_to_build(path: Path) -> StateStore:
    from projections.sqlite_build_store import SqliteBuildStore

    return SqliteBuildStore(path)


@contextmanager
def open_ledger(settings: Settings) -> Iterator[LedgerAtHand]:
    """The ledger that the settings name, until the context ends."""
    log = open_log(settings)
    try:
        store = open_store(state_path(settings, log.generation))
        try:
            ledger = _at_hand(settings, log, store)
            record_waivers(ledger, waivers(settings))
            yield ledger
        finally:
            store.close()
    finally:
        log.close()


def token_file(settings: Settings) -> TokenFile:
    """The tokens of the home directory."""
    return TokenFile(home_of(settings) / TOKENS_FILE)


def tokens_at_hand(settings: Settings) -> TokensAtHand:
    """The tokens of the home directory, as a running service looks them up."""
    return TokensAtHand(token_file(settings), time.monotonic)


def service_file(settings: Settings) -> ServiceFile:
    """The ids of the tenants' own services, in the home directory."""
    return service_file_at(home_of(settings) / SERVICES_FILE)


def services_at_hand(settings: Settings) -> ServicesAtHand:
    """The same, as a running service looks them up."""
    return ServicesAtHand(service_file(settings), time.monotonic)


def used_keys(settings: Settings) -> UsedKeys:
    """What idempotency keys were used for. Raises UsedKeysFault."""
    from choice_ledger.sqlite_used_keys import SqliteUsedKeys

    return SqliteUsedKeys(home_of(settings) / USED_KEYS_FILE)


def content_store(settings: Settings) -> ContentStore:
    """The texts by digest."""
    return ContentStore(home_of(settings) / CONTENT_DIRECTORY)


def rebuilt_store(settings: Settings, log: Log, fill: Callable[[StateStore], None], *, replace: bool) -> None:
    """Make a fresh store beside the present one, have it filled, and put it in its place or remove it.

    The present one answers until the new one is whole. It is a name that leads to the file, so that what
    another process still writes beside the old file can never be taken for the new one's. One rebuild at a
    time: it removes what one that was killed left behind. Raises StoreFault while another is under way.
    """
    path = state_path(settings, log.generation)
    with _alone(path.with_name(f"{path.stem}.rebuilding")):
        _remove_left_behind(path)
        fresh = path.with_name(f"{path.stem}.made-{new_id()}.db")
        store = _store_to_build(fresh)
        try:
            fill(store)
            store.close()
            if replace:
                _lead_to(path, fresh)
        except BaseException:
            store.close()
            _remove_database(fresh)
            raise
        if not replace:
            _remove_database(fresh)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a lock that ends with this process. Raises StoreFault where another process has it."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreFault("another rebuild of this state is under way; wait until it ends") from None
        yield


def _remove_left_behind(path: Path) -> None:
    """Remove the files of rebuilds that never came into their place."""
    present = path.resolve()
    for left in path.parent.glob(f"{path.stem}.made-*.db"):
        if left != present:
            _remove_database(left)
    for link in path.parent.glob(f"{path.stem}.made-*.link"):
        link.unlink()


def _at_hand(settings: Settings, log: Log, store: StateStore) -> LedgerAtHand:
    return LedgerAtHand(
        settings=settings,
        clock=now,
        new_id=new_id,
        log=log,
        source=log,
        store=store,
        folding=Projector(log, store),
        content=content_store(settings),
    )


def _embedded_log(settings: Settings) -> Log:
    from ledger.sqlite_log import SqliteLog

    return SqliteLog(home_of(settings) / LOG_FILE, clock=now, new_id=new_id)


def _kafka_log(settings: Settings) -> Log:
    from choice_ledger.logging import configure
    from ledger.kafka_log import KafkaLogSettings, open_kafka_log

    configure(settings.log_level)
    brokers = ",".join(settings.brokers)
    where = KafkaLogSettings(brokers=brokers, plan=_topic_plan(settings), security=_security(settings))
    return open_kafka_log(where, now)


def create_topics(settings: Settings) -> tuple[str, ...]:
    """Create those topics that do not exist, and name them. Raises LogFault."""
    from ledger import kafka_topics

    plan = _topic_plan(settings, settings.kafka_partitions)
    return kafka_topics.create_topics(",".join(settings.brokers), plan, _security(settings))


def topic_deviations(settings: Settings, partitions: int | None) -> tuple[str, ...]:
    """What is weaker than the settings ask for, a sentence each; ``partitions`` none: any number will do."""
    from ledger import kafka_topics

    plan = _topic_plan(settings, partitions)
    found = kafka_topics.verify_topics(",".join(settings.brokers), plan, _security(settings))
    return tuple(str(deviation) for deviation in found)


def replicas_at_most(settings: Settings) -> int:
    """The copies that the settings ask for, or as many as there are brokers. Raises LogFault."""
    from ledger import kafka_topics

    with kafka_topics.administration(",".join(settings.brokers), _security(settings)) as admin:
        brokers = len(admin.describe_cluster()["brokers"])
    return min(settings.kafka_replication, brokers)


def waivers(settings: Settings) -> tuple[str, ...]:
    """The safeguards that the settings do without; each has to be on record."""
    return _topic_plan(settings).waivers if settings.brokers else ()


def clock_offset_ms(settings: Settings) -> int:
    """How far the brokers' clock is ahead of this machine's, in milliseconds. Raises LogFault."""
    from ledger.kafka_clock import quorum_time_ms

    before = now()
    broker_ms = quorum_time_ms(",".join(settings.brokers), _security(settings))
    return broker_ms - (before + now()) // 2_000


def _topic_plan(settings: Settings, partitions: int | None = None) -> "TopicPlan":
    from ledger.kafka_topics import TopicPlan

    return TopicPlan(
        individuals=settings.kafka_topic_individuals,
        policies=settings.kafka_topic_policies,
        partitions=partitions,
        replication_factor=settings.kafka_replication,
        min_insync_replicas=settings.kafka_min_insync,
    )


def _security(settings: Settings) -> tuple[tuple[str, str], ...]:
    """kafka-python's options for how to be admitted by the brokers; what is not set is left out."""
    protocol = settings.kafka_security_protocol
    chosen = {"security_protocol": protocol, "ssl_cafile": settings.kafka_ca_file}
    if protocol.startswith("SASL"):
        chosen["sasl_mechanism"] = settings.kafka_sasl_mechanism
        chosen["sasl_plain_username"] = settings.kafka_username
        chosen["sasl_plain_password"] = settings.kafka_password
    return tuple((name, value) for name, value in chosen.items() if value)


def _lead_to(path: Path, target: Path) -> None:
    """Make ``path`` a name for ``target``, in one step; remove what it led to before."""
    former = path.resolve() if path.is_symlink() else None
    link = path.with_name(f"{target.stem}.link")
    link.symlink_to(target.name)
    link.replace(path)
    if former is not None:
        _remove_database(former)


def _remove_database(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def sqlite_version() -> str:
    """The version of the SQLite that the files are opened with."""
    from projections import sqlite_store

    return sqlite_store.sqlite_version()
