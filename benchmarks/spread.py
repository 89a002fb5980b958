"""What a benchmark of appends prints: the ratio of each pair of runs, with its spread."""

import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Pair(NamedTuple):
    """Events a second of the bare library and of ours, measured right after each other."""

    bare: float
    ours: float


class Summary(NamedTuple):
    """Median rates, and the ratio ours / bare with its least and greatest."""

    bare_per_second: int
    ours_per_second: int
    ratio: dict[str, float]


def summary(pairs: Sequence[Pair]) -> Summary:
    """What several rounds came to."""
    ratios = [pair.ours / pair.bare for pair in pairs]
    return Summary(
        bare_per_second=round(statistics.median(pair.bare for pair in pairs)),
        ours_per_second=round(statistics.median(pair.ours for pair in pairs)),
        ratio={name: round(of(ratios), 2) for name, of in SPREAD.items()},
    )


SPREAD: dict[str, Callable[[list[float]], float]] = {"min": min, "median": statistics.median, "max": max}
