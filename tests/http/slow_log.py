"""The service on a log that takes its time: ``python -m tests.http.slow_log SECONDS``."""

import sys
import time
from collections.abc import Sequence

from choice_ledger.cli import main
from events.individual_events import IndividualDescribed
from ledger.log import Outcome, Proposal
from ledger.sqlite_log import SqliteLog


def slowed(wait_s: float) -> None:
    """Have each description wait before it is appended."""
    append = SqliteLog.append

    def slow(log: SqliteLog, proposals: Sequence[Proposal]) -> tuple[Outcome, ...]:
        if any(isinstance(proposal.event, IndividualDescribed) for proposal in proposals):
            time.sleep(wait_s)
        return append(log, proposals)

    SqliteLog.append = slow  # type: ignore[assignment,method-assign]  # the class is patched


if __name__ == "__main__":
    slowed(float(sys.argv[1]))
    sys.argv[:] = ["choice-ledger", "serve"]
    main()
