"""The exit code that each fault ends in, and that none of them tells what an individual said."""

import errno
import os

import pytest

from choice_ledger.content_store import ContentDamaged, ContentMissing, ContentRefused
from choice_ledger.exits import ExitCode, Failure, refused
from choice_ledger.fault_codes import RIGHTS_MISSING, failure_of
from events.codec import UndecodableRecord
from events.streams import PositionUnavailable
from ledger.log import LogFault
from projections.batch import WrongGeneration
from projections.ports import StoreConflict, StoreFault
from projections.projector import CatchUpStalled

PERSONAL = "ana of 3 Elm Street"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (LogFault("no broker answers; start one"), ExitCode.UNAVAILABLE),
        (CatchUpStalled("the log gives nothing; look at the brokers"), ExitCode.UNAVAILABLE),
        (StoreFault("the disk is full; make room"), ExitCode.UNAVAILABLE),
        (PositionUnavailable("another generation; rebuild"), ExitCode.MISMATCH),
        (WrongGeneration("another generation; rebuild"), ExitCode.MISMATCH),
        (ContentRefused("too long; store a shorter one"), ExitCode.REFUSED),
        (ContentMissing("no such text; publish again"), ExitCode.MISMATCH),
        (ContentDamaged("changed; restore it"), ExitCode.MISMATCH),
        (UndecodableRecord("unknown_schema", "no schema of this fingerprint"), ExitCode.MISMATCH),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_foreseen_fault_ends_in_its_code_and_words(fault: Exception, code: ExitCode) -> None:
    """A fault that its owner foresaw keeps its own words, which say what to do, and ends in its code."""
    failure = failure_of(fault)
    assert failure.code is code
    assert str(fault) in failure.message


@pytest.mark.parametrize(
    ("said", "names_it"),
    [
        ("the state reaches beyond the log's end; rebuild", True),
        ("a hole; restore the log from a copy", False),
    ],
)
def test_a_rebuild_is_named_where_it_helps(said: str, names_it: bool) -> None:
    """The command that rebuilds is named to whoever needs it, and not where the log itself is at fault."""
    message = failure_of(PositionUnavailable(said)).message
    assert ("`choice-ledger rebuild`" in message) == names_it


def test_a_conflict_says_to_try_again() -> None:
    """Two that fold one state at once are told so, whatever the store calls it."""
    failure = failure_of(StoreConflict("next_offset differs"))
    assert failure.code is ExitCode.UNAVAILABLE
    assert "try again" in failure.message


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device", f"/home/{PERSONAL}"), "No space left on device"),
        (OSError(PERSONAL), "OSError"),
        (MemoryError(PERSONAL), "out of memory"),
    ],
)
def test_a_machine_that_refuses_is_told_without_names(fault: Exception, reason: str) -> None:
    """A full disk or a full memory is told by its kind: the path or the value may name a person."""
    failure = failure_of(fault)
    assert failure.code is ExitCode.UNAVAILABLE
    assert reason in failure.message
    assert PERSONAL not in failure.message


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "make room and try again"),
        (errno.EMFILE, "make room and try again"),
        *((number, "let this user write to the ledger's home and try again") for number in RIGHTS_MISSING),
    ],
)
def test_the_remedy_fits_what_the_machine_refuses(number: int, remedy: str) -> None:
    """Who may not write is told of rights, and not to make room, which would change nothing."""
    failure = failure_of(OSError(number, os.strerror(number)))
    assert failure.code is ExitCode.UNAVAILABLE
    assert failure.message == f"the machine refuses: {os.strerror(number)}; {remedy}"


def test_a_defect_is_told_by_its_place() -> None:
    """A fault that nobody foresaw is a defect: its kind and its lines are told, and its message is not."""

    def stumble() -> None:
        """Fail as no code should, with personal data in the message."""
        raise KeyError(PERSONAL)

    with pytest.raises(KeyError) as caught:
        stumble()
    failure = failure_of(caught.value)
    assert failure.code is ExitCode.DEFECT
    assert "KeyError in" in failure.message
    assert "stumble:" in failure.message
    assert PERSONAL not in failure.message


def test_a_failure_stays_what_it_is() -> None:
    """What is a failure already ends as it says, with its field before its words."""
    failure = refused("purposes", "must be declared")
    assert failure_of(failure) is failure
    assert failure.code is ExitCode.REFUSED
    assert str(failure) == "`purposes` must be declared"
    assert str(Failure(ExitCode.USAGE, "say which")) == "say which"


def test_exit_codes_are_what_a_shell_can_carry() -> None:
    """Every code fits into the byte that a shell sees, no two are the same, and only success is nought."""
    codes = [code.value for code in ExitCode]
    assert len(codes) == len(set(codes)) == len(ExitCode.__members__)
    assert all(0 <= code <= 255 for code in codes)
    assert [code for code in ExitCode if not code] == [ExitCode.OK]
