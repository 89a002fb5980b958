"""``import``: events from files in the line format."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import rich_click as click

from choice_ledger import import_under_way
from choice_ledger.cli.faults import FaultTeller
from choice_ledger.cli.files import check_readable, opened_file, size_of
from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, show_lines, warn
from choice_ledger.cli.progress import progress
from choice_ledger.cli.session import opened
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.importing import Ending, Import, Imported, import_lines
from choice_ledger.knowledge import held_by, holds_its_own, waive_knowledge
from choice_ledger.ledger_at_hand import LedgerAtHand
from choice_ledger.reading_lines import line_batches
from events.lines import LINE_BYTES_MAX

ENDINGS: tuple[Ending, ...] = ("recorded", "already_held", "noted", "refused", "unknown")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True, path_type=Path))
@click.option(
    "--rewrite-knowledge",
    is_flag=True,
    help="Keep `recorded_at` beside events that this ledger recorded itself; this is put on record.",
)
@click.option("--why", default="not said", metavar="TEXT", help="Why knowledge is rewritten, for the record.")
@common
@click.pass_context
def command(ctx: click.Context, *, files: tuple[Path, ...], rewrite_knowledge: bool, why: str) -> None:
    """Record the events in FILES, one a line (- for standard input), in their order.

    Event ids and `recorded_at` are kept. What the ledger holds already is done, so an import that was cut
    off is simply run again. Nothing of a bad line is recorded, and nothing of the others is lost.
    """
    for file in files:
        check_readable(file)  # A wrong command line does nothing, not the files before the wrong one.
    with opened(ctx) as ledger:
        strict = _begin(ledger, why if rewrite_knowledge else None)
        counts, stopped = _import_all(ledger, files, strict=strict)
        if not stopped:
            import_under_way.end(Path(ledger.settings.home))
    _tell(counts, as_json=told_as_json(ctx))
    if counts["unknown"]:
        unknown = f"{counts['unknown']} events may be recorded or not; import again"
        raise Failure(ExitCode.UNKNOWN, f"{stopped}; {unknown}" if stopped else unknown)
    if stopped:
        raise Failure(ExitCode.UNAVAILABLE, f"{stopped}; make room or mend the log, and import again")
    if counts["refused"]:
        raise Failure(ExitCode.REFUSED, f"{counts['refused']} lines were refused; mend them and import again")


def _begin(ledger: LedgerAtHand, why_rewritten: str | None) -> bool:
    """Whether a line that would rewrite what the ledger knew has to be refused."""
    home, generation = Path(ledger.settings.home), ledger.source.generation
    has_own = not import_under_way.is_under_way(home, generation) and holds_its_own(ledger.source)
    if has_own and why_rewritten is not None:
        waive_knowledge(ledger, why_rewritten)
    if not has_own:
        import_under_way.begin(home, generation)
    return has_own and why_rewritten is None


def _import_all(ledger: LedgerAtHand, files: Sequence[Path], *, strict: bool) -> tuple[Counter[Ending], str]:
    """How all lines ended, and where the import gave up because the log stores nothing; empty if nowhere."""
    counts: Counter[Ending] = Counter()
    for number, file in enumerate(files, start=1):
        imported = _import(ledger, file, strict=strict)
        counts += imported.counts
        if imported.ahead:
            warn(
                f"{imported.ahead} lines of {file} bear a recorded_at later than this machine's clock; until "
                "then they outlast every choice that is made: see to the clocks"
            )
        if imported.stopped_after is not None:
            left = ", nor the files after it" if number < len(files) else ""
            where = "standard input" if str(file) == "-" else str(file)
            return counts, (
                f"the log stores nothing: what follows line {imported.stopped_after} of {where}"
                f" was not tried{left}"
            )
    return counts, ""


def _import(ledger: LedgerAtHand, file: Path, *, strict: bool) -> Imported:
    faults = FaultTeller(str(file))
    checks = strict or not ledger.log.deduplicates
    held = held_by(ledger, refuse_recorded_at=strict) if checks else None
    read = 0
    with opened_file(file) as stream, progress(f"importing {file.name}", size_of(file)) as reached:

        def tell_read(count: int) -> None:
            nonlocal read
            read += count
            reached(read)

        batches = line_batches(stream, LINE_BYTES_MAX, tell_read)
        return import_lines(Import(ledger.log, held, faults.tell, ledger.clock()), batches)


def _tell(counts: Counter[Ending], *, as_json: bool) -> None:
    if as_json:
        show_json({ending: counts[ending] for ending in ENDINGS})
        return
    words = {
        "recorded": "recorded",
        "already_held": "held already",
        "noted": "beginnings of other ledgers, noted and not recorded",
        "refused": "refused",
        "unknown": "of unknown outcome",
    }
    show_lines(
        f"{counts[ending]:>12,} {words[ending]}"
        for ending in ENDINGS
        if counts[ending] or ending == "recorded"
    )
    sys.stdout.flush()
