"""Checks over HTTP, beside a constant, Open Policy Agent and OpenFGA: `python -m benchmarks.http_check`.

All servers run at once, each a process of its own, with the same world (`http_world`) and the same load
generator (`http_load`). A round asks each of them for a while, one after the other, so that what else the
machine does falls on all alike; a ratio is that of two runs of one round. Before the first round each has
answered the same questions, and the answers are compared.

- *bare*: an ASGI application that answers a constant, on uvicorn with uvloop and httptools. The floor of one
  check.
- *in process*: `decide` over the same questions, from facts held in memory, in a process without a server.
  The floor of batches. *in process, kept* is what the service itself does between reading and writing: it
  gives a decision again while it lasts (`choice_ledger.checking`), which is faster than deciding.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from benchmarks import http_world as world
from benchmarks.http_load import CONNECTIONS, Run, Target, generator, load
from benchmarks.http_peers import bare, batches, call, installed, ledger_of, open_policy_agent, openfga, ours
from benchmarks.spread import SPREAD, Pair, summary

ROUNDS: Final = 7
BATCH: Final = 100
COMPARED: Final = 200
"""Questions whose answers are compared before anything is measured."""

TARGET_OF_BARE: Final = 0.5
TARGET_OF_IN_PROCESS: Final = 0.6
TARGET_OF_PEERS: Final = 1.0


class Bench(NamedTuple):
    """What is measured: targets of the load generator, and the process that answers without a server."""

    targets: dict[str, Target]
    in_process: "subprocess.Popen[str]"


def lines_of(folder: Path, name: str, bodies: Iterator[object]) -> Path:
    """A file of requests' bodies, one a line."""
    path = folder / f"{name}.ndjson"
    path.write_bytes(b"".join(msgspec.json.encode(body) + b"\n" for body in bodies))
    return path


def started(stack: ExitStack, folder: Path) -> Bench:
    """Every server that this machine can run, with its requests."""
    persons = world.people()
    asked = world.questions(persons)
    expected = world.permitted(persons, asked)
    authorization = "Bearer " + ledger_of(folder, persons)
    ours_port = stack.enter_context(ours(folder))
    one = lines_of(folder, "one", (question._asdict() for question in asked))
    many = lines_of(
        folder, "many", ({"questions": [q._asdict() for q in batch]} for batch in batches(asked, BATCH))
    )
    targets = {
        "bare": Target("bare", stack.enter_context(bare()), "/v1/check", one, authorization),
        "ours": Target("ours", ours_port, "/v1/check", one, authorization),
        "ours, batches": Target("ours, batches", ours_port, "/v1/checks", many, authorization, BATCH),
    }
    compared(
        "ours",
        asked,
        expected,
        lambda q: call(ours_port, "/v1/check", q._asdict(), authorization)["permitted"],
    )
    targets |= peers(stack, folder, persons, asked, expected)
    command = [sys.executable, "-m", "benchmarks.http_in_process", str(folder), str(BATCH)]
    in_process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stack.callback(in_process.wait)
    stack.callback(in_process.kill)
    return Bench(targets, in_process)


def peers(
    stack: ExitStack,
    folder: Path,
    persons: Sequence[world.Person],
    asked: Sequence[world.Asked],
    expected: Sequence[bool],
) -> dict[str, Target]:
    """The peers that are installed or can be."""
    targets: dict[str, Target] = {}
    if opa := installed("opa"):
        port = stack.enter_context(open_policy_agent(opa, folder, persons))
        compared("opa", asked, expected, lambda q: call(port, _OPA, {"input": q._asdict()})["result"])
        bodies = lines_of(folder, "opa", ({"input": question._asdict()} for question in asked))
        targets["opa"] = Target("opa", port, _OPA, bodies)
        many = ({"input": {"questions": [q._asdict() for q in batch]}} for batch in batches(asked, BATCH))
        targets["opa, batches"] = Target(
            "opa, batches", port, "/v1/data/consent/batch", lines_of(folder, "opas", many), weight=BATCH
        )
    if fga := installed("openfga"):
        fga_port, store, model = stack.enter_context(openfga(fga, folder, persons))

        def body(question: world.Asked) -> dict[str, object]:
            return {"tuple_key": world.fga_tuple(question), "authorization_model_id": model}

        path = f"/stores/{store}/check"
        compared("openfga", asked, expected, lambda q: call(fga_port, path, body(q))["allowed"])
        targets["openfga"] = Target("openfga", fga_port, path, lines_of(folder, "fga", map(body, asked)))
    return targets


_OPA: Final = "/v1/data/consent/permitted"


def compared(
    name: str, asked: Sequence[world.Asked], expected: Sequence[bool], answer: Callable[[world.Asked], bool]
) -> None:
    """Hold the answers of a server against those that all must give. Raises ValueError."""
    for question, permitted in zip(asked[:COMPARED], expected, strict=False):
        if answer(question) is not permitted:
            raise ValueError(f"{name} answers {question} otherwise")


def one_round(bench: Bench) -> tuple[dict[str, Run], dict[str, float]]:
    """One run of each server, and of what answers without one."""
    runs = {name: load(target) for name, target in bench.targets.items()}
    assert bench.in_process.stdin is not None
    assert bench.in_process.stdout is not None
    bench.in_process.stdin.write("go\n")
    bench.in_process.stdin.flush()
    return runs, json.loads(bench.in_process.stdout.readline())


def measured() -> dict[str, object]:
    """The report."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = started(stack, folder)
        for target in bench.targets.values():
            load(target)  # Caches fill and compilers warm up before anything counts.
        rounds = [one_round(bench) for _ in range(ROUNDS)]
    return report(rounds)


def report(rounds: Sequence[tuple[dict[str, Run], dict[str, float]]]) -> dict[str, object]:
    """What the rounds come to: rates, latencies, and the ratio to every floor and peer."""
    runs = [run for run, _ in rounds]
    told: dict[str, object] = {
        "benchmark": "checks over HTTP, beside a constant and two peers",
        "generator": generator(),
        "connections": CONNECTIONS,
        "rounds": len(rounds),
        "individuals": world.INDIVIDUALS,
        "left_out": [name for name in ("opa", "openfga") if name not in runs[0]],
    }
    for name in runs[0]:
        told[name] = {
            "per_second": spread_of([run[name].per_second for run in runs]),
            "p50_us": spread_of([float(run[name].p50_us) for run in runs]),
            "p99_us": spread_of([float(run[name].p99_us) for run in runs]),
        }
    ratios = {
        f"check / {name}": [Pair(run[name].per_second, run["ours"].per_second) for run in runs]
        for name in ("bare", "opa", "openfga")
        if name in runs[0]
    }
    if "opa, batches" in runs[0]:
        ratios["batches / opa, batches"] = [
            Pair(run["opa, batches"].per_second, run["ours, batches"].per_second) for run in runs
        ]
    for way in rounds[0][1]:
        ratios[f"batches / {way}"] = [
            Pair(alone[way], run["ours, batches"].per_second) for run, alone in rounds
        ]
    told["ratios"] = {name: summary(pairs)._asdict() for name, pairs in ratios.items()}
    return told | {"targets": TARGETS}


TARGETS: Final = {
    "check / bare": TARGET_OF_BARE,
    "batches / in process": TARGET_OF_IN_PROCESS,
    "check / opa": TARGET_OF_PEERS,
    "check / openfga": TARGET_OF_PEERS,
}


def spread_of(values: list[float]) -> dict[str, int]:
    """Least, median and greatest."""
    return {name: round(of(values)) for name, of in SPREAD.items()}


def missed(told: dict[str, object]) -> list[str]:
    """The targets whose median ratio is not reached; what was left out is not missed."""
    ratios = told["ratios"]
    assert isinstance(ratios, dict)
    return [
        name for name, least in TARGETS.items() if name in ratios and ratios[name]["ratio"]["median"] < least
    ]


def main() -> int:
    """Print the report."""
    told = measured()
    print(json.dumps(told, indent=1))
    return 1 if missed(told) else 0


if __name__ == "__main__":
    sys.exit(main())
