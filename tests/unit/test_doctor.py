"""The doctor's checks, each with what it must find and what it must let pass."""

from pathlib import Path

import pytest

from choice_ledger.doctor import (
    CLOCK_OFFSET_MS_MAX,
    PACKAGES,
    SQLITE_VERSION_MIN,
    attempted,
    check_clock,
    check_environment,
    check_modes,
    check_packages,
    check_sqlite,
    check_topics,
)
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.wiring import sqlite_version

OURS = {package: ["choice-ledger"] for package in PACKAGES}


def test_another_package_of_our_name_is_found() -> None:
    """A distribution that brings a package named like one of ours is named, with what to do."""
    (clash,) = check_packages({**OURS, "events": ["choice-ledger", "events"]})
    assert (clash.state, "`events` is also the package of events" in clash.message) == ("fault", True)
    (alone,) = check_packages(OURS)
    assert alone.state == "ok"
    (here,) = check_packages()
    assert here.state == "ok"


def test_an_old_sqlite_is_found() -> None:
    """The oldest sound SQLite is let pass; one before it, and ours is none, is a fault."""
    oldest = ".".join(map(str, SQLITE_VERSION_MIN))
    assert check_sqlite(oldest).state == "ok"
    assert check_sqlite("3.51.2").state == "fault"
    assert check_sqlite("3.9.99").state == "fault"
    assert check_sqlite(sqlite_version()).state == "ok"


def test_a_misspelt_variable_is_found() -> None:
    """A variable that begins like a setting and is none is a warning; settings and secrets' files are not."""
    known = {"CHOICE_LEDGER_HOME": "", "CHOICE_LEDGER_KAFKA_PASSWORD_FILE": "", "CHOICE_LEDGER_CONFIG": ""}
    assert list(check_environment(known, ("CHOICE_LEDGER_CONFIG",))) == []
    (strange,) = check_environment({**known, "CHOICE_LEDGER_HOME_FILE": ""}, ("CHOICE_LEDGER_CONFIG",))
    assert (strange.state, "CHOICE_LEDGER_HOME_FILE" in strange.message) == ("warning", True)


@pytest.mark.parametrize(("mode", "state"), [(0o600, "ok"), (0o640, "warning"), (0o604, "warning")])
def test_files_that_others_may_read_are_found(mode: int, state: str, tmp_path: Path) -> None:
    """A file that the group or others may read is a warning, with the command that closes it."""
    tmp_path.chmod(0o700)
    file = tmp_path / "log.db"
    file.touch()
    file.chmod(mode)
    found = check_modes(tmp_path)
    assert found.state == state
    assert ("chmod" in found.message) == (state == "warning")


@pytest.mark.parametrize(
    ("offset_ms", "state"),
    [
        (0, "ok"),
        (CLOCK_OFFSET_MS_MAX, "ok"),
        (-CLOCK_OFFSET_MS_MAX, "ok"),
        (CLOCK_OFFSET_MS_MAX + 1, "fault"),
        (-CLOCK_OFFSET_MS_MAX - 1, "fault"),
    ],
)
def test_a_clock_that_is_off_is_found(offset_ms: int, state: str) -> None:
    """A clock within the limit of the brokers', either way, is let pass; past it nothing could be written."""
    assert check_clock(offset_ms).state == state


def test_topics_that_are_too_weak_are_found() -> None:
    """Each deviation is a fault of its own, and without one the topics are as they must be."""
    assert [finding.state for finding in check_topics(("a", "b"))] == ["fault", "fault"]
    assert [finding.state for finding in check_topics(())] == ["ok"]


def test_a_check_that_cannot_look_is_a_fault() -> None:
    """Whatever keeps a check from looking is what it finds."""

    def look() -> list[object]:
        raise Failure(ExitCode.UNAVAILABLE, "nobody answers")

    (found,) = attempted("brokers", look)  # type: ignore[arg-type]  # It never comes to an answer.
    assert (found.check, found.state, found.message) == ("brokers", "fault", "nobody answers")
