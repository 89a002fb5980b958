"""The log in memory, held to the contract of every log, with one partition and with several."""

from collections.abc import Iterator

import pytest

from ledger.memory_log import MemoryLog, MemoryRecords
from tests.contract.event_log_contract import LogContract
from tests.contract.log_workshop import Workshop
from tests.contract.sample_events import new_id


@pytest.fixture(
    params=[(1, True), (6, True), (3, False)], ids=["one-partition", "six-partitions", "as-a-topic"]
)
def workshop(request: pytest.FixtureRequest) -> Iterator[Workshop]:
    """Handles on one memory log: a deduplicating one, and one that behaves as a topic does."""
    partitions, deduplicates = request.param
    records = MemoryRecords(partitions, deduplicates=deduplicates)
    made = Workshop(lambda clock: MemoryLog(clock, new_id, records))
    yield made
    made.close()


class TestMemoryLog(LogContract):
    """``MemoryLog`` keeps every demand of ``EventLog`` and ``EventSource``."""
