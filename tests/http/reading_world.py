"""Ledgers to read over HTTP: the example's, and one whose clock the test sets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from choice_ledger import wiring
from events.instants import Micros, parse_instant
from projections.question_lines import format_decision
from projections.reader import Enquiry, ReadModel
from tests.cli.running import EXAMPLES, TENANT, Cli
from tests.http.serving import Served, serving

PEOPLE = ("ana", "milo", "lea", "jo", "hana", "dora", "kim", "nobody-knows")


@contextmanager
def serving_example(home: Path) -> Iterator[Served]:
    """A service on a ledger with the example in it, of the example's tenant."""
    Cli(home).does(
        "import", *(str(EXAMPLES / file) for file in ("telemate/policies.ndjson", "people.ndjson"))
    )
    with serving(home) as served:
        yield served


def example_client(served: Served, *scopes: Any, tenant: str = TENANT) -> httpx.Client:
    """A client of the example's tenant."""
    return served.client(*scopes, tenant=tenant)


def reader(served: Served) -> ReadModel:
    """What answers from the same state without HTTP."""
    ledger = served.service.ledger
    return ReadModel(ledger.store, ledger.source.slice_of, ledger.clock)


def decided(served: Served, enquiry: Enquiry) -> bytes:
    """The line of the decision that the reader gives without HTTP."""
    return format_decision(reader(served).answer(enquiry).decision)


def fields_of(response: httpx.Response) -> list[str]:
    """What the faults of a problem name, in their order."""
    return [fault["field"] for fault in response.json()["errors"]]


class SetClock:
    """A clock that stands where it was set."""

    def __init__(self, text: str) -> None:
        self.now: Micros = parse_instant(text)

    def __call__(self) -> Micros:
        return self.now

    def set(self, text: str) -> None:
        """Let it be that instant."""
        self.now = parse_instant(text)


@contextmanager
def serving_at(home: Path, clock: SetClock) -> Iterator[Served]:
    """A service whose whole clock is the given one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "now", clock)
        with serving(home) as served:
            yield served
