"""A mark that an import is under way, so that one that was cut off may be run again.

An import into a ledger without events of its own makes some: the lines without a ``recorded_at``. But for
the mark, running it again would look like rewriting what the ledger knew. It stands in the home directory
from the first append to the end of the import, and goes as soon as the ledger records anything else.
"""

import os
from pathlib import Path
from typing import Final

FILE: Final = "import-under-way"
"""The mark's file; it holds the generation of the ledger that it is about."""


def is_under_way(home: Path, generation: str) -> bool:
    """Whether an import into that ledger was begun, and neither ended nor followed by anything else."""
    try:
        return (home / FILE).read_text(encoding="ascii") == generation
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def begin(home: Path, generation: str) -> None:
    """Set the mark, durably."""
    with (home / FILE).open("w", encoding="ascii") as file:
        file.write(generation)
        file.flush()
        os.fsync(file.fileno())


def end(home: Path) -> None:
    """Take the mark away, if there is one."""
    (home / FILE).unlink(missing_ok=True)
