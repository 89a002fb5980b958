"""``export``: every event in the line format, in log order."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO

import rich_click as click

from choice_ledger.cli.options import settings_options
from choice_ledger.cli.progress import progress
from choice_ledger.cli.session import settings_of, warn_of_a_new_ledger
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.exporting import Unreadable, exported
from choice_ledger.ledger_at_hand import records_between
from choice_ledger.wiring import open_log
from events.lines import format_line

FLUSH_LINES: int = 1_000
"""Lines between two looks at whether the reader is still there."""


@click.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file.",
)
@settings_options
@click.pass_context
def command(ctx: click.Context, output: Path | None) -> None:
    """Write every event, one a line, in log order: what `import` reads.

    Slices are merged by `recorded_at`. Every record is verified; one that cannot be read is reported on
    standard error, and the exit code is then 6.
    """
    unreadable = done = 0
    settings = settings_of(ctx)
    warn_of_a_new_ledger(settings)
    with closing(open_log(settings)) as log, _opened(output) as out:
        total = records_between(log.start(), log.end())
        with progress("exporting", total) as reached:
            for entry in exported(log):
                done += 1
                if isinstance(entry, Unreadable):
                    unreadable += 1
                    sys.stderr.write(f"{entry.place}: cannot be read ({entry.reason})\n")
                else:
                    out.write(format_line(entry) + b"\n")
                if done % FLUSH_LINES == 0:
                    reached(done)
        out.flush()
    if unreadable:
        raise Failure(
            ExitCode.MISMATCH,
            f"{unreadable} records cannot be read; see `quarantine list`",
        )


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    """Where lines are written: a file appears whole or not at all."""
    if output is None:
        yield sys.stdout.buffer
        return
    beside = output.with_name(f".{output.name}.part")
    try:
        with beside.open("wb") as file:
            yield file
        beside.replace(output)
    except OSError as fault:
        beside.unlink(missing_ok=True)
        raise Failure(ExitCode.USAGE, f"{output} cannot be written: {fault.strerror}") from None
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
