"""``personal-data``: fields that name a person, stored as ciphertext, and who read them."""

from pathlib import Path

import rich_click as click

from choice_ledger.cli.recording_options import record_and_tell, recording
from choice_ledger.exits import refused
from events.record_events import CIPHERTEXT_BYTES_MAX
from ledger.record_commands import ReportDataRead, StorePersonalData


@click.group()
def command() -> None:
    """Record encrypted personal fields, and who read them."""


@command.command()
@click.argument("individual")
@click.argument("field")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@recording()
@click.pass_context
def store(ctx: click.Context, individual: str, field: str, file: Path) -> None:
    """Store the ciphertext in FILE as the personal FIELD of INDIVIDUAL. It must be encrypted already."""
    with file.open("rb") as stream:
        ciphertext = stream.read(CIPHERTEXT_BYTES_MAX + 1)
    if len(ciphertext) > CIPHERTEXT_BYTES_MAX:
        raise refused("ciphertext", f"must be at most {CIPHERTEXT_BYTES_MAX} bytes")
    record_and_tell(ctx, StorePersonalData(individual, field, ciphertext))


@command.command()
@click.argument("individual")
@click.argument("field")
@click.argument("purpose")
@recording()
@click.pass_context
def read(ctx: click.Context, individual: str, field: str, purpose: str) -> None:
    """Record that the personal FIELD of INDIVIDUAL was read for PURPOSE."""
    record_and_tell(ctx, ReportDataRead(individual, field, purpose))
