"""Which exit code each fault ends in, and what it says. No message holds what an individual said."""

import errno
import traceback
from typing import Final

from choice_ledger.content_store import ContentDamaged, ContentMissing, ContentRefused
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.owner_file import FileFault
from events.codec import UndecodableRecord
from events.streams import PositionUnavailable
from ledger.log import LogFault
from projections.batch import WrongGeneration
from projections.ports import StoreConflict, StoreFault
from projections.projector import CatchUpStalled

RIGHTS_MISSING: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""What the machine says to somebody who may not write, or not there."""


def failure_of(fault: Exception) -> Failure:
    """The failure that a fault comes to. One that nobody foresaw is a defect, told without its values."""
    match fault:
        case Failure():
            return fault
        case LogFault() | CatchUpStalled() | StoreFault():
            return Failure(ExitCode.UNAVAILABLE, str(fault))
        case StoreConflict():
            return Failure(ExitCode.UNAVAILABLE, "another process is folding this state; try again")
        case PositionUnavailable() | WrongGeneration():
            return Failure(ExitCode.MISMATCH, _with_rebuild(str(fault)))
        case ContentRefused():
            return Failure(ExitCode.REFUSED, str(fault))
        case ContentMissing() | ContentDamaged() | UndecodableRecord() | FileFault():
            return Failure(ExitCode.MISMATCH, str(fault))
        case MemoryError() | OSError():
            return Failure(ExitCode.UNAVAILABLE, f"the machine refuses: {_reason(fault)}; {_remedy(fault)}")
        case _:
            return Failure(ExitCode.DEFECT, f"this is a defect; please report it: {_where(fault)}")


def _with_rebuild(message: str) -> str:
    """A message that asks for a rebuild, with the command that does it; any other as it is."""
    return f"{message} (`choice-ledger rebuild` does)" if "rebuild" in message else message


def _reason(fault: OSError | MemoryError) -> str:
    return "out of memory" if isinstance(fault, MemoryError) else fault.strerror or type(fault).__name__


def _remedy(fault: OSError | MemoryError) -> str:
    """What to do about it: no room that is made gives a right that is missing."""
    if isinstance(fault, OSError) and fault.errno in RIGHTS_MISSING:
        return "let this user write to the ledger's home and try again"
    return "make room and try again"


def _where(fault: Exception) -> str:
    """The kind of fault and the lines that led to it, without its message, which may hold values."""
    frames = traceback.extract_tb(fault.__traceback__)
    lines = ", ".join(f"{frame.name}:{frame.lineno}" for frame in frames[-6:])
    return f"{type(fault).__name__} in {lines}"
