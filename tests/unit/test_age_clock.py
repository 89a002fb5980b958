"""The clock by which the service counts how old its facts are."""

import sys
import time
from pathlib import Path

import pytest

from choice_ledger.http.opening import age_clock_ms, open_service
from choice_ledger.settings import Settings


@pytest.mark.skipif(sys.platform != "linux", reason="other systems name that clock otherwise, or have none")
def test_the_age_counts_the_time_for_which_the_machine_slept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a sleep of an hour nothing is fresh, before the log was asked again: the clock that stood still
    meanwhile is not looked at.
    """
    with open_service(Settings(home=str(tmp_path)), lambda: False) as service:
        while service.freshness.outside() is not None:
            time.sleep(0.01)
    assert service.freshness.outside() is None  # Nothing follows any more, and the age counts on.
    told = time.clock_gettime_ns

    def slept(clock: int) -> int:
        return told(clock) + (3_600 * 10**9 if clock == time.CLOCK_BOOTTIME else 0)

    monkeypatch.setattr(time, "clock_gettime_ns", slept)
    assert service.freshness.outside() == "stale"


def test_the_age_is_counted_in_milliseconds() -> None:
    """A twentieth of a second is fifty, and the clock does not go back."""
    began, watch = age_clock_ms(), time.perf_counter()
    time.sleep(0.05)
    passed, really = age_clock_ms() - began, (time.perf_counter() - watch) * 1_000
    assert 49 <= passed <= really + 1
