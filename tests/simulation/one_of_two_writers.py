"""One of several processes that write to an embedded log: `python -m tests.simulation.one_of_two_writers`.

Prints an acknowledgement a line: who appended, id, time, stream and offset.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ledger.log import Acknowledged
from tests.contract.sample_events import choice
from tests.simulation.embedded_trial import append, now, open_log


def main(folder: str, name: str, threads: int, appends: int) -> None:
    """Append from so many threads, each so often, one event at a time, once standard input says to begin."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    log = open_log(Path(folder))

    def work(number: int) -> list[str]:
        lines = []
        for _ in range(appends):
            (outcome,) = append(log, (choice(now(), f"{name}-{number}"),))
            if not isinstance(outcome, Acknowledged):
                raise TypeError(outcome)
            ((_, _, end),) = outcome.position.offsets
            lines.append(f"{name}-{number} {outcome.event_id} {outcome.recorded_at} {end - 1}\n")
        return lines

    with ThreadPoolExecutor(threads) as pool:
        for lines in pool.map(work, range(threads)):
            os.write(sys.stdout.fileno(), "".join(lines).encode())
    log.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
