"""A process that records choices beside a service: `python -m tests.simulation.opting_beside HOME`.

It reads `individual decision` from standard input, a line each, and answers the position of each receipt.
"""

import os
import sys

from choice_ledger.settings import load
from choice_ledger.wiring import open_ledger
from tests.simulation.opt_out_trial import change_mind


def main(home: str) -> None:
    """Record until the input ends."""
    with open_ledger(load({"home": home}, os.environ).settings) as ledger:
        print("ready", flush=True)
        for line in sys.stdin:
            individual, decision = line.split()
            print(change_mind(ledger, individual, decision).position.encode(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
