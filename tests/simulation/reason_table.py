"""How often random histories reach each reason: `python -m tests.simulation.reason_table [worlds] [seed]`."""

import random
import sys
import time
from collections import Counter

from tests.simulation.histories import generate
from tests.simulation.naive_decide import decide


def count_reasons(*, seed: int, worlds: int) -> Counter[str]:
    """The reasons of the answers to every question of that many worlds."""
    rng = random.Random(seed)
    found: Counter[str] = Counter()
    for _ in range(worlds):
        lines, questions = generate(rng)
        found.update(decide(lines, question)["reason"] for question in questions)
    return found


def main() -> None:
    """Print the table, and how long it took."""
    arguments = [int(each) for each in sys.argv[1:]]
    worlds, seed = [*arguments, 500, 1][:2] if len(arguments) != 1 else [arguments[0], 1]
    began = time.perf_counter()
    reasons = count_reasons(seed=seed, worlds=worlds)
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        print(f"{count:7} {reason}")
    print(f"{sum(reasons.values()):7} questions in {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
