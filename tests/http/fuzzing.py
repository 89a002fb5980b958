"""Runs schemathesis against a service, and reads what it found."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from choice_ledger.http.endpoints import Endpoint
from choice_ledger.http.openapi import document

PHASES = ("examples", "coverage", "fuzzing")
RUN_WITHIN_S = 1_800
CONFIGURATION = """
[checks]
# A schema cannot say that a position is one of this ledger, or that a policy is there.
positive_data_acceptance.enabled = false
# What is too long for a head is refused before it is read.
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 431]

# Of many evaluations, what is wrong with one, or with the defaults that it takes, is told in its place with a
# denial, and the status is 200 (AuthZEN 1.0, section 7.2): what the schema refuses is answered.
[[operations]]
include-path = "/access/v1/evaluations"
checks.negative_data_rejection.enabled = false
checks.positive_data_acceptance.enabled = false
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuzzed:
    """What a run did and found. ``told`` is all that it printed, cut where a value is long."""

    operations: int
    cases: int
    failures: Mapping[str, tuple[str, ...]]
    told: str


def fuzz(
    rows: Sequence[Endpoint],
    *,
    url: str,
    token: str,
    reports: Path,
    seed: int,
    examples: int,
    more: tuple[str, ...] = (),
) -> Fuzzed:
    """Try every operation that some rows document against the service at ``url``.

    The document is given as a file: where it is fetched, its own endpoint is passed over.
    """
    report, schema = reports / "report.json", reports / "openapi.json"
    schema.write_text(json.dumps(document(rows)), encoding="utf-8")
    (reports / "schemathesis.toml").write_text(CONFIGURATION, encoding="utf-8")
    words = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(schema), "--url", url),
        *("--header", f"Authorization: Bearer {token}"),
        *("--phases", ",".join(PHASES)),
        *("--max-examples", str(examples), "--seed", str(seed), "--workers", "1"),
        *("--report", "json", "--report-json-path", str(report)),
        *("--generation-database", "none", "--suppress-health-check", "all", "--continue-on-failure"),
        *("--no-color", "--warnings", "off", "--request-timeout", "60", *more),
    ]
    done = subprocess.run(
        words,
        cwd=reports,
        env={**os.environ, "PYTHONHASHSEED": "0", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_S,
        check=False,
    )
    told = "\n".join(line[:400] for line in (done.stdout + done.stderr).splitlines())
    assert report.exists(), told
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    assert found["complete"], told
    return Fuzzed(
        operations=found["operations"]["tested"],
        cases=found["test_cases"]["generated"],
        failures={f["type"]: tuple(f["operations"]) for f in found["failures"]},
        told=told,
    )
