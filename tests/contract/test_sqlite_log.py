"""The embedded log, held to the contract of every log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.sqlite_log import SqliteLog
from tests.contract.event_log_contract import LogContract
from tests.contract.log_workshop import Workshop
from tests.contract.sample_events import new_id


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """Handles on one file, as several processes would have them."""
    made = Workshop(lambda clock: SqliteLog(tmp_path / "log.sqlite", clock, new_id))
    yield made
    made.close()


class TestSqliteLog(LogContract):
    """``SqliteLog`` keeps every demand of ``EventLog`` and ``EventSource``."""
