"""A million events on both logs, through the command line: the same decisions and the same digest.

    python -m benchmarks.million --report docs/reports/million.json

Generates events and questions, then on the embedded log, and on Kafka beside it, imports the events, asks
the questions, and takes the digest of the state, first as the projection grew and then rebuilt from the
first event. Says what differs, if anything does; with the time and the peak memory of each command.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.generate import EVENTS, QUESTIONS, SEED
from tests.broker.with_kafka import kafka_at_hand
from tests.reports import commit, machine


class Outcome(NamedTuple):
    """What one log came to. ``cost`` gives each command's seconds and peak memory in MiB."""

    digest: str
    rebuilt: str
    answers: str
    answered: int
    cost: dict[str, dict[str, float]]


class Run(NamedTuple):
    """A command that has ended."""

    output: str
    seconds: float
    peak_mib: float

    def cost(self) -> dict[str, float]:
        """What it took, rounded for a report."""
        return {"seconds": round(self.seconds, 1), "peak_mib": round(self.peak_mib)}


def generate(folder: Path, events: int, questions: int, seed: int) -> None:
    """Write `events.ndjson` and `questions.ndjson` into a folder."""
    for what, count in (("events", events), ("questions", questions)):
        numbers = ["--count", str(count), "--events", str(events), "--seed", str(seed)]
        words = [sys.executable, "-m", "benchmarks.generate", what, *numbers]
        with (folder / f"{what}.ndjson").open("wb") as file:
            subprocess.run(words, stdout=file, check=True)


def outcome(home: Path, events: Path, questions: Path, settings: Mapping[str, str]) -> Outcome:
    """Import, ask, take the digest, rebuild, on the log that the settings lead to."""
    answers = home.with_suffix(".answers.ndjson")
    if {**os.environ, **settings}.get("CHOICE_LEDGER_KAFKA"):
        command(home, settings, "topics", "create")
    runs = {
        "import": command(home, settings, "import", str(events)),
        "check": command(home, settings, "check", "--questions", str(questions), into=answers),
        "digest": command(home, settings, "digest"),
        "rebuild": command(home, settings, "rebuild"),
    }
    content = answers.read_bytes()
    return Outcome(
        digest=runs["digest"].output.split()[-1],
        rebuilt=next(word for word in runs["rebuild"].output.split() if len(word) == 64),
        answers=hashlib.sha256(content).hexdigest(),
        answered=content.count(b"\n"),
        cost={name: run.cost() for name, run in runs.items()},
    )


def command(home: Path, settings: Mapping[str, str], *words: str, into: Path | None = None) -> Run:
    """Run `choice-ledger`; raises CalledProcessError where it fails."""
    arguments = [sys.executable, "-m", "choice_ledger", "--home", str(home), *words]
    began = time.monotonic()
    with (into or home.with_suffix(".out")).open("w+b") as output:
        child = subprocess.Popen(arguments, stdout=output, env={**os.environ, **settings})
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, arguments)
        output.seek(0)
        text = "" if into else output.read().decode()
    return Run(text, time.monotonic() - began, usage.ru_maxrss / 1024)


def differences(outcomes: Mapping[str, Outcome]) -> list[str]:
    """What is not the same, a sentence each."""
    found = [
        f"{name}: the rebuilt state has another digest than the one that grew"
        for name, each in outcomes.items()
        if each.rebuilt != each.digest
    ]
    for what in ("digest", "answers", "answered"):
        values = {name: getattr(each, what) for name, each in outcomes.items()}
        if len(set(values.values())) > 1:
            found.append(f"the logs disagree on {what}: {values}")
    return found


def compare(folder: Path, kafka: Mapping[str, str]) -> dict[str, Outcome]:
    """Run the generated files of a folder through both logs; the settings lead to Kafka."""
    files = folder / "events.ndjson", folder / "questions.ndjson"
    topics = {
        f"CHOICE_LEDGER_KAFKA_TOPIC_{stream.upper()}": f"compared-{uuid.uuid4().hex}.{stream}"
        for stream in ("individuals", "policies")
    }
    return {
        "embedded": outcome(folder / "embedded", *files, {"CHOICE_LEDGER_KAFKA": ""}),
        "kafka": outcome(folder / "kafka", *files, {**kafka, **topics}),
    }


def main() -> int:
    """Run at the size asked for, print the report, and write it where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--questions", type=int, default=QUESTIONS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--report", type=Path, help="a file for the report")
    options = parser.parse_args()
    counts = {"events": options.events, "questions": options.questions, "seed": options.seed}
    with tempfile.TemporaryDirectory(prefix="choice-ledger-million-") as folder, kafka_at_hand() as kafka:
        generate(Path(folder), **counts)
        outcomes = compare(Path(folder), kafka)
    found = differences(outcomes)
    report: dict[str, Any] = {
        "what": "the same events on both logs: decisions and digest",
        **counts,
        "commit": commit(),
        "machine": machine(),
        "differences": found,
        "logs": {name: each._asdict() for name, each in outcomes.items()},
    }
    text = json.dumps(report, indent=1)
    print(text)
    if options.report and not found:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(text + "\n", encoding="utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
