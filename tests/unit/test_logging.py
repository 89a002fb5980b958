"""What is said on standard error: a JSON object a line, at the level asked for, and no more than it may."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from choice_ledger.logging import FRAMES_MAX, configure
from choice_ledger.settings import LogLevel


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Give the test run its own logging back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    kafka_level = logging.getLogger("kafka").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("kafka").setLevel(kafka_level)
    structlog.reset_defaults()


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """What was written to standard error, each line read as JSON; standard output must have stayed empty."""
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_each_line_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """An event has its name, its level, its time and what was said with it, in one line of JSON."""
    configure("info")
    structlog.get_logger("choice_ledger.test").info("caught up", records=3)
    (line,) = said(capsys)
    assert (line["event"], line["level"], line["records"]) == ("caught up", "info", 3)
    assert str(line["timestamp"]).endswith("Z")


def test_what_is_below_the_level_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    """At `warning`, an info event is not said, and a warning is."""
    configure("warning")
    log = structlog.get_logger("choice_ledger.test")
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in said(capsys)] == ["loud"]


def test_records_of_libraries_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    """What a library says through the standard logging comes out as JSON like the rest."""
    configure("warning")
    logging.getLogger("a.library").warning("it is %s", "late")
    (line,) = said(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("it is late", "warning", "a.library")


@pytest.mark.parametrize(("level", "heard"), [("debug", ["cannot"]), ("info", []), ("warning", [])])
def test_the_kafka_client_is_heard_on_errors_alone(
    level: LogLevel, heard: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The Kafka client's warnings are left out; its errors are for those who ask for everything."""
    configure(level)
    logging.getLogger("kafka.conn").warning("reconnecting")
    logging.getLogger("kafka.conn").error("cannot")
    assert [line["event"] for line in said(capsys)] == heard


def test_control_characters_stay_inside_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A value with line ends and escapes cannot forge a line or colour a terminal."""
    configure("info")
    structlog.get_logger("choice_ledger.test").info("said", value='x\n{"event": "forged"}\x1b[31m')
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_a_traceback_shows_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception is told with its kind and place, and without its message or the variables there."""
    configure("error")

    def fail() -> None:
        """Fail with personal data at hand."""
        address = "ana" + "@" + "example.org"
        raise ValueError(f"{len(address)} characters, {address}")

    try:
        fail()
    except ValueError:
        structlog.get_logger("choice_ledger.test").exception("failed")
    text = capsys.readouterr().err
    assert "ValueError" in text
    assert " fail" in text
    assert "15 characters" not in text
    assert "ana@" not in text


def test_what_a_fault_came_from_is_told_in_turn(capsys: pytest.CaptureFixture[str]) -> None:
    """A chain of exceptions is told kind by kind, the last one first."""
    configure("error")

    def fail() -> None:
        """Fail because of something else."""
        try:
            {"": 1}["Ana"]
        except LookupError as cause:
            raise ValueError("Ana") from cause

    try:
        fail()
    except ValueError:
        logging.getLogger("asyncio").exception(
            "Task exception was never retrieved\nfuture: ValueError('Ana')"
        )
    line: Any = said(capsys)[0]
    assert line["event"] == "Task exception was never retrieved"
    assert [told["kind"] for told in line["exception"]] == ["ValueError", "KeyError"]
    assert "Ana" not in str(line)


@pytest.mark.parametrize(("depth", "told"), [(FRAMES_MAX, FRAMES_MAX), (FRAMES_MAX + 1, FRAMES_MAX)])
def test_so_many_places_are_told(capsys: pytest.CaptureFixture[str], depth: int, told: int) -> None:
    """Of a deep stack the last `FRAMES_MAX` places are told, and no more."""
    configure("error")

    def fall(further: int) -> None:
        """Fail so many calls deep."""
        if further == 0:
            raise ValueError
        fall(further - 1)

    try:
        fall(depth - 2)
    except ValueError:
        structlog.get_logger("choice_ledger.test").exception("failed")
    line: Any = said(capsys)[0]
    assert len(line["exception"][0]["places"]) == told


def test_configuring_twice_says_each_event_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A second configuration replaces the first."""
    configure("info")
    configure("info")
    structlog.get_logger("choice_ledger.test").info("once")
    assert len(said(capsys)) == 1
