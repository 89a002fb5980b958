"""What every fault comes to as a problem, and what the log says of it: its kind and its place, no value."""

import structlog

from choice_ledger.exits import ExitCode
from choice_ledger.fault_codes import failure_of
from choice_ledger.http.problems import Fault, Problem
from choice_ledger.used_keys import UsedKeysFault

_log = structlog.get_logger("choice_ledger.http")


def problem_of(fault: Exception, request_id: str = "") -> Problem:
    """The problem that a fault comes to. One that nobody foresaw is a defect.

    Why the service failed is for its operator, who finds it in the log under the request id.
    """
    if isinstance(fault, Problem):
        return fault
    if isinstance(fault, UsedKeysFault):
        return _logged("unavailable", str(fault), request_id)
    failure = failure_of(fault)
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
