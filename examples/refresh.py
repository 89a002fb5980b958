"""Bring the example's event lines back in step with its policy files, after a change of a policy or a text.

The amendments in ``telemate/policies.ndjson`` repeat what the YAML files say, and the notices in
``people.ndjson`` name the texts by digest. Run it from anywhere: ``python examples/refresh.py``.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from choice_ledger.policy_file import PolicyFile, read_policy_file  # noqa: E402 - found by the line above.

Line = dict[str, Any]
ENVELOPE = ("type", "event_id", "tenant", "occurred_at", "recorded_at", "actor", "medium")


def versions() -> dict[int, PolicyFile]:
    """The policy files of the example by their version. Ends with every fault of a file that has one."""
    policies: dict[int, PolicyFile] = {}
    for path in sorted((HERE / "telemate").glob("*.yaml")):
        policy = read_policy_file(path)
        if not isinstance(policy, PolicyFile):
            sys.exit("\n".join(f"{path.name}, {error}" for error in policy.errors))
        policies[int(str(policy.amendment["version"]))] = policy
    return policies


def refreshed_amendment(line: Line, policies: dict[int, PolicyFile]) -> Line:
    """An amendment's line with the fields of its policy file; another line as it is."""
    if line["type"] != "PolicyAmended":
        return line
    return {field: line[field] for field in ENVELOPE} | policies[line["version"]].amendment


def refreshed_notice(line: Line, policies: dict[int, PolicyFile]) -> Line:
    """A notice's line with the digest of its version's text in its locale; another line as it is."""
    if line["type"] != "NoticeGiven":
        return line
    wording: Any = policies[line["version"]].amendment["wording"]
    return line | {"wording_sha256": wording[line["locale"]]}


def rewrite(path: Path, refresh: Callable[[Line], Line]) -> None:
    """Write every line of a file again, refreshed."""
    lines = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    written = "".join(json.dumps(refresh(line), ensure_ascii=False) + "\n" for line in lines)
    path.write_text(written, encoding="utf-8", newline="\n")


def main() -> None:
    """Refresh both files."""
    policies = versions()
    rewrite(HERE / "telemate" / "policies.ndjson", lambda line: refreshed_amendment(line, policies))
    rewrite(HERE / "people.ndjson", lambda line: refreshed_notice(line, policies))


if __name__ == "__main__":
    main()
