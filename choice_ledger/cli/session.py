"""A command's ledger: opened from the settings, and caught up before anything is answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import rich_click as click

from choice_ledger.cli.options import loaded_settings
from choice_ledger.cli.output import warn
from choice_ledger.cli.progress import progress
from choice_ledger.ledger_at_hand import LedgerAtHand, records_between
from choice_ledger.settings import Settings
from choice_ledger.wiring import begins_anew, open_ledger
from projections.reader import ReadModel

SHOWN_FROM_RECORDS: Final = 20_000
"""Records to fold from which on a terminal shows a progress bar."""


def settings_of(ctx: click.Context) -> Settings:
    """The settings of this call."""
    return loaded_settings(ctx).settings


@contextmanager
def opened(ctx: click.Context) -> Iterator[LedgerAtHand]:
    """The ledger of this call, its state up to the log's end."""
    with open_ledger(settings_of(ctx)) as ledger:
        catch_up(ledger)
        yield ledger


@contextmanager
def opened_to_read(ctx: click.Context) -> Iterator[LedgerAtHand]:
    """The same, for a command that only reads: whoever reads a ledger that is not there yet is told so."""
    warn_of_a_new_ledger(settings_of(ctx))
    with opened(ctx) as ledger:
        yield ledger


def warn_of_a_new_ledger(settings: Settings) -> None:
    """Say that there is nothing to read yet: most often the home is another one."""
    if begins_anew(settings):
        warn(f"there is no ledger in {settings.home} yet, so one begins there; is it the right --home?")


def catch_up(ledger: LedgerAtHand) -> None:
    """Fold up to the log's end; where that is much, show how far it is."""
    start, end = ledger.folding.position, ledger.source.end()
    total = records_between(start, end)
    if total < SHOWN_FROM_RECORDS:
        ledger.folding.catch_up(end)
        return
    with progress("reading the log", total) as reached:
        ledger.folding.catch_up(end, on_progress=lambda position: reached(records_between(start, position)))


def read_model(ledger: LedgerAtHand) -> ReadModel:
    """What answers questions from the ledger's state."""
    return ReadModel(ledger.store, ledger.source.slice_of, ledger.clock)
