"""What every fault comes to as a problem, and what the log says of it: its kind and its place, no value."""

import structlog

from choice_ledger.exits import EventIdTaken, ExitCode, Failure, OutcomeUnknown
from choice_ledger.fault_codes import failure_of
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.used_keys import UsedKeysFault
from consumers.following import TooManyWaiting

_log = structlog.get_logger("choice_ledger.http")


def problem_of(fault: Exception, request_id: str = "") -> Problem:
    """The problem that a fault comes to. One that nobody foresaw is a defect.

    Why the service failed is for its operator, who finds it in the log under the request id.
    """
    if isinstance(fault, Problem):
        return fault
    return _named(fault, request_id) or _ended(failure_of(fault), request_id)


def _named(fault: Exception, request_id: str) -> Problem | None:
    """The problem of a fault that has one of its own."""
    match fault:
        case UsedKeysFault():
            return _logged("unavailable", str(fault), request_id)
        case TooManyWaiting():
            return Problem("overloaded", limit=fault.limit)
        case EventIdTaken():
            return Problem("event_id_taken", errors=[Fault(fault.field, fault.message)])
        case OutcomeUnknown():
            _log.error("unknown", reason=fault.why, request_id=request_id, event_id=fault.event_id)
            return Problem("unknown", event_id=fault.event_id)
        case _:
            return None


def _ended(failure: Failure, request_id: str) -> Problem:
    """The problem that stands for the exit code in which the same ends on the command line."""
    match failure.code:
        case ExitCode.REFUSED | ExitCode.USAGE:
            return Problem("refused", errors=[Fault(failure.field, failure.message)])
        case ExitCode.DENIED:
            return Problem("refused", failure.message)
        case ExitCode.UNKNOWN:
            return _logged("unknown", failure.message, request_id)
        case ExitCode.UNAVAILABLE:
            return _logged("unavailable", failure.message, request_id)
        case ExitCode.MISMATCH:
            return _logged("damaged", failure.message, request_id)
        case _:
            return _logged("defect", failure.message, request_id)


def _logged(kind: str, reason: str, request_id: str) -> Problem:
    _log.error(kind, reason=reason, request_id=request_id)
    return Problem(kind)
