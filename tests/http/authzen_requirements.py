"""The requirements of AuthZEN that tests cite, and the table of them in the documentation.

A test that holds a requirement begins its docstring with the section, how binding it is, and what is
required: `§10.1.1, MUST: …`. Run as a module, this writes the table anew.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reference" / "authzen.md"
BEGINS = "<!-- requirements: begin -->"
ENDS = "<!-- requirements: end -->"
HEAD = "| section | | requirement | test |\n|---|---|---|---|\n"
LEVELS = ("MUST NOT", "MUST", "REQUIRED", "SHOULD NOT", "SHOULD", "RECOMMENDED", "MAY", "OPTIONAL", "states")
QUOTED_WORDS_MAX = 15

_CITATION = re.compile(rf"§(\d+(?:\.\d+)*), ({'|'.join(LEVELS)}): (.+)", re.DOTALL)


class Requirement(NamedTuple):
    """What a section requires, how binding it is, and the test that holds it."""

    section: tuple[int, ...]
    level: str
    text: str
    test: str

    @property
    def row(self) -> str:
        """The requirement's row of the table."""
        number = ".".join(map(str, self.section))
        return f"| {number} | {self.level} | {self.text} | `{self.test}` |\n"


def requirements() -> list[Requirement]:
    """Every requirement that a test cites, by section."""
    return sorted(
        found for path in sorted(Path(__file__).parent.glob("test_authzen*.py")) for found in _in(path)
    )


def table() -> str:
    """The table of all requirements."""
    return HEAD + "".join(requirement.row for requirement in requirements())


def documented() -> str:
    """The table as the documentation has it."""
    return DOCUMENT.read_text().partition(f"{BEGINS}\n")[2].partition(ENDS)[0]


def _in(path: Path) -> Iterator[Requirement]:
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        said = (ast.get_docstring(node) or "").partition("\n\n")[0]
        if said.startswith("§"):
            found = _CITATION.fullmatch(said)
            assert found is not None, f"{path.name}::{node.name} cites a section in another form"
            section = tuple(map(int, found[1].split(".")))
            yield Requirement(section, found[2], " ".join(found[3].split()), f"{path.name}::{node.name}")


if __name__ == "__main__":
    before, _, rest = DOCUMENT.read_text().partition(f"{BEGINS}\n")
    DOCUMENT.write_text(f"{before}{BEGINS}\n{table()}{ENDS}{rest.partition(ENDS)[2]}")
