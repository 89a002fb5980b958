"""Opening a service: the ledger, its state followed in a thread, and all that the endpoints stand on."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial

from choice_ledger.checking import Checks
from choice_ledger.freshness import Freshness
from choice_ledger.http.admission import THREADS_MAX, Admission
from choice_ledger.http.idempotency import IdempotencyKeys
from choice_ledger.http.metrics import Metrics
from choice_ledger.http.service import Service
from choice_ledger.settings import Settings
from choice_ledger.wiring import open_ledger, services_at_hand, tokens_at_hand, used_keys
from consumers.following import Following
from projections.projector import Projector
from projections.reader import ReadModel


@contextmanager
def open_service(settings: Settings, stopping: Callable[[], bool]) -> Iterator[Service]:
    """A service on the ledger that the settings name, its state followed, until the context ends."""
    with open_ledger(settings) as ledger, closing(used_keys(settings)) as used:
        ledger.catch_up()
        projector = Projector(ledger.source, ledger.store)
        following = Following(ledger.source, projector, clock_ms=_monotonic_ms)
        admission = Admission(settings.rate_per_s, settings.rate_burst, time.monotonic)
        with _pool("writing") as writers, _pool("reading") as readers:
            following.start()
            try:
                yield Service(
                    ledger=replace(ledger, folding=following),
                    checks=Checks(
                        ReadModel(ledger.store, ledger.source.slice_of, ledger.clock), None, ledger.clock
                    ),
                    freshness=Freshness(following, settings.freshness_ms_max),
                    credentials=tokens_at_hand(settings),
                    services=services_at_hand(settings),
                    admission=admission,
                    idempotency=IdempotencyKeys(used, ledger.clock, partial(admission.bounded, writers)),
                    metrics=Metrics(),
                    writers=writers,
                    readers=readers,
                    stopping=stopping,
                )
            finally:
                following.stop()


def _pool(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS_MAX, thread_name_prefix=name)


def _monotonic_ms() -> float:
    return time.monotonic() * 1_000
