"""The documentation of the HTTP service is true: what it shows is run, and what it lists is what there is."""

import os
import re
import shutil
import socket
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from choice_ledger.http.problems import KINDS
from choice_ledger.http.table import ENDPOINTS
from tests.cli.running import RUN_MAIN, process_environment
from tests.http.reference_pages import PAGES
from tests.tidy.source import ROOT

TUTORIAL = ROOT / "docs" / "tutorial" / "http.md"
OPERATING = ROOT / "docs" / "how-to" / "operate-the-service.md"
PORT_SHOWN = "8700"
ANYTHING = "…"
MARK = "@@ line"
CURL_LINES = 10
RUN_WITHIN_S = 100


def steps_of(text: str) -> list[tuple[str, str]]:
    """The lines that a page tells a reader to type, each with what it shows as the answer."""
    steps: list[tuple[str, str]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line.removeprefix("$ "), ""))
            else:
                steps[-1] = (steps[-1][0], f"{steps[-1][1]}{line}\n")
    return steps


def is_as_shown(shown: str, answered: str) -> bool:
    """Whether an answer is what the page shows, in which `…` stands for anything."""
    pattern = ".*".join(re.escape(piece) for piece in shown.strip().split(ANYTHING))
    return re.fullmatch(pattern, answered.strip(), re.DOTALL) is not None


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def typed(steps: list[tuple[str, str]], where: Path) -> list[str]:
    """What each line answers, typed one after the other into a shell in an empty directory."""
    program = where / "bin" / "choice-ledger"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{RUN_MAIN}' \"$@\"\n", encoding="utf-8")
    program.chmod(0o755)
    port = str(free_port())
    lines = [f"echo; echo '{MARK}'; {line.replace(PORT_SHOWN, port)}" for line, _ in steps]
    more = {"CHOICE_LEDGER_PORT": port}
    environment = process_environment(None, more)
    environment["PATH"] = f"{program.parent}:{environment['PATH']}"
    empty = where / "empty"
    empty.mkdir()
    done = subprocess.run(
        ["bash", "-u", "-c", "trap 'kill $(jobs -p) 2>/dev/null' EXIT\n" + "\n".join(lines)],
        cwd=empty,
        env=environment,
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_S,
        check=False,
    )
    log = empty / "serve.log"
    told = log.read_text(encoding="utf-8") if log.exists() else ""
    assert done.returncode == 0, f"{done.stderr}\n{told}"
    return done.stdout.split(f"{MARK}\n")[1:]


@pytest.mark.skipif(shutil.which("curl") is None and not os.environ.get("CI"), reason="no curl is installed")
@pytest.mark.parametrize("page", [TUTORIAL, OPERATING], ids=lambda page: page.name)
def test_a_page_to_type_is_true(page: Path, tmp_path: Path) -> None:
    """Every line of the page, typed into a shell in an empty directory, answers what the page shows."""
    steps = steps_of(page.read_text(encoding="utf-8"))
    answers = typed(steps, tmp_path)
    assert len(answers) == len(steps) > 0
    wrong = [
        f"{line}\nshows    {shown}answered {answered}"
        for (line, shown), answered in zip(steps, answers, strict=True)
        if not is_as_shown(shown, answered)
    ]
    assert wrong == [], "\n".join(wrong)


def test_the_tutorial_has_ten_lines_of_curl() -> None:
    """From an empty directory to a denied and a permitted use it takes ten calls."""
    steps = steps_of(TUTORIAL.read_text(encoding="utf-8"))
    assert sum(line.startswith("curl ") for line, _ in steps) == CURL_LINES
    answers = "".join(shown for _, shown in steps)
    assert '"permitted":true' in answers
    assert '"permitted":false' in answers


@pytest.mark.parametrize(
    ("shown", "answered", "same"),
    [
        ('{"a":"…"}\n', '{"a":"b"}', True),
        ('{"a":1,…}', '{"a":1,"b":{}}\n', True),
        ("", "\n", True),
        ('{"a":true}', '{"a":false}', False),
        ('{"a":"…"}', '{"a":1}', False),
        ("", "curl: no such host", False),
    ],
)
def test_a_planted_wrong_answer_is_caught(shown: str, answered: str, same: bool) -> None:
    """An answer passes where it is what the page shows, with anything for an ellipsis, and not otherwise."""
    assert is_as_shown(shown, answered) == same


def test_lines_are_read_with_their_answers() -> None:
    """A line begins with a dollar sign, and what follows it, up to the next, is its answer."""
    text = "```console\n$ one\nA\nB\n$ two\n```\nProse.\n```json\n{}\n```\n```console\n$ three\nC\n```\n"
    assert steps_of(text) == [("one", "A\nB\n"), ("two", ""), ("three", "C\n")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_that_is_made_is_current(page: Path) -> None:
    """A page that is made from the tables says what they say: where this fails, `make reference` mends it."""
    assert page.read_text(encoding="utf-8") == PAGES[page]()


def test_every_endpoint_is_in_the_reference() -> None:
    """Each method and path has a heading of its own."""
    text = (ROOT / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### `(\S+) (\S+)`$", text, re.MULTILINE)
    assert sorted(headings) == sorted((row.method, row.path) for row in ENDPOINTS)


def test_every_refusal_is_in_the_reference() -> None:
    """Each kind of problem has a row with its status, title, occasion and remedy, sorted by status."""
    text = (ROOT / "docs" / "reference" / "problems.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row[1].strip("`") for row in rows] == [f"/problems/{kind}" for kind in KINDS]
    assert [int(row[0]) for row in rows] == sorted(row.status for row in KINDS.values())
    assert all(len(cell) > 5 for row in rows for cell in row[1:5])


def test_the_table_of_problems_is_sorted() -> None:
    """Kinds of one status stand together, so that each status is one answer of an operation."""
    statuses = [status for status, _ in groupby(row.status for row in KINDS.values())]
    assert statuses == sorted(set(statuses))
