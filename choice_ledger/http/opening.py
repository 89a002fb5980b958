"""Opening a service: the ledger, its state followed in a thread, and all that the endpoints stand on."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from choice_ledger.checking import Checks
from choice_ledger.fault_codes import failure_of
from choice_ledger.freshness import Freshness
from choice_ledger.http.admission import TENANT, THREADS_MAX, Admission
from choice_ledger.http.idempotency import IdempotencyKeys
from choice_ledger.http.metrics import Metrics
from choice_ledger.http.service import Service
from choice_ledger.http.tracing import Tracing
from choice_ledger.ledger_at_hand import LedgerAtHand
from choice_ledger.settings import Settings
from choice_ledger.wiring import open_ledger, services_at_hand, tokens_at_hand, used_keys
from consumers.following import Following
from consumers.pursuits import Projecting, Pursuit, Watching
from projections.facts_at_hand import FactsAtHand
from projections.reader import ReadModel

_AGE_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_log = structlog.get_logger("choice_ledger.http")


@contextmanager
def open_service(
    settings: Settings, stopping: Callable[[], bool], tracing: Tracing | None = None
) -> Iterator[Service]:
    """A service on the ledger that the settings name, its state followed, until the context ends.

    Then the work that is under way ends first, which may wait for what it recorded to be folded.
    """
    with open_ledger(settings) as ledger, closing(used_keys(settings)) as used:
        pursuit = _pursuit(settings, ledger)
        facts = FactsAtHand(
            threading.Lock(), pursuit.position, pursuit.catalogue, settings.individuals_at_hand_max
        )
        following = Following(
            ledger.source,
            pursuit,
            clock_ms=age_clock_ms,
            age_ms_max=settings.freshness_ms_max,
            on_moved=facts.moved,
            on_fault=_tell_fault,
        )
        admission = Admission(settings.rate_per_s, settings.rate_burst, time.monotonic)
        following.start()
        try:
            with _pool("writing") as writers, _pool("reading") as readers:
                yield Service(
                    ledger=_followed(ledger, following, tracing),
                    checks=Checks(
                        ReadModel(ledger.store, ledger.source.slice_of, ledger.clock, facts),
                        facts,
                        ledger.clock,
                    ),
                    freshness=Freshness(following, settings.freshness_ms_max, TENANT.get),
                    credentials=tokens_at_hand(settings),
                    services=services_at_hand(settings),
                    admission=admission,
                    idempotency=IdempotencyKeys(used, ledger.clock, partial(admission.bounded, writers)),
                    metrics=Metrics(),
                    writers=writers,
                    readers=readers,
                    stopping=stopping,
                    tracing=tracing,
                )
        finally:
            following.stop()


def _followed(ledger: LedgerAtHand, following: Following, tracing: Tracing | None) -> LedgerAtHand:
    if tracing is None:
        return replace(ledger, folding=following)
    return replace(ledger, log=tracing.log(ledger.log), folding=tracing.folding(following))


def _pursuit(settings: Settings, ledger: LedgerAtHand) -> Pursuit:
    """How the state goes on: folded here, or by a `work` process on the same home.

    What is there already is folded before the first call is answered; who leaves the folding to another
    process leaves that to it too, and says `stale` until it is done.
    """
    if not settings.serve_work:
        return Watching(ledger.source, ledger.store)
    ledger.catch_up()
    return Projecting(ledger.source, ledger.store)


def _tell_fault(fault: Exception, in_a_row: int) -> None:
    _log.warning("following_failed", reason=failure_of(fault).message, in_a_row=in_a_row)


def _pool(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS_MAX, thread_name_prefix=name)


def age_clock_ms() -> float:
    """The clock of the state's age, which never goes back. Where the system has one that also counts the time
    for which the machine slept, that one: whoever wakes up has old facts, and others recorded meanwhile.
    """
    return time.clock_gettime_ns(_AGE_CLOCK) / 1_000_000
