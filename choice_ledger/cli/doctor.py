"""``doctor``: is everything as it must be?"""

import os
from collections.abc import Iterator

import rich_click as click

from choice_ledger import doctor
from choice_ledger.cli.options import common, told_as_json
from choice_ledger.cli.output import show_json, show_table
from choice_ledger.cli.session import settings_of
from choice_ledger.doctor import Finding
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.settings import Settings
from choice_ledger.wiring import (
    clock_offset_ms,
    home_of,
    now,
    open_ledger,
    service_file,
    sqlite_version,
    token_file,
    topic_deviations,
)

KNOWN_VARIABLES = ("CHOICE_LEDGER_CONFIG",)
"""Variables that are ours and no settings."""


@click.command()
@common
@click.pass_context
def command(ctx: click.Context) -> None:
    """Check that everything is as it must be. Where something has to be mended, the exit code is 6."""
    findings = list(_findings(settings_of(ctx)))
    if told_as_json(ctx):
        show_json(findings)
    else:
        show_table(("check", "state", "what"), [(f.check, f.state, f.message) for f in findings])
    faults = sum(finding.state == "fault" for finding in findings)
    if faults:
        raise Failure(ExitCode.MISMATCH, f"{faults} checks found what has to be mended")


def _findings(settings: Settings) -> Iterator[Finding]:
    yield from doctor.check_packages()
    yield doctor.check_sqlite(sqlite_version())
    yield from doctor.check_environment(os.environ, KNOWN_VARIABLES)
    yield doctor.check_modes(home_of(settings))
    yield from doctor.attempted("tokens", lambda: [doctor.check_tokens(token_file(settings).tokens(), now())])
    services = service_file(settings)
    yield from doctor.attempted(
        "services", lambda: [doctor.check_services(services.services(settings.tenant))]
    )
    if settings.brokers:
        reached = doctor.attempted("brokers", lambda: [doctor.check_clock(clock_offset_ms(settings))])
        yield from reached
        if any(finding.check == "brokers" for finding in reached):
            return  # The other checks would wait for the same brokers, and find the same.
        yield from doctor.attempted("topics", lambda: doctor.check_topics(topic_deviations(settings, None)))
    yield from doctor.attempted("ledger", lambda: _ledger_findings(settings))


def _ledger_findings(settings: Settings) -> Iterator[Finding]:
    with open_ledger(settings) as ledger:
        generation = ledger.source.generation
        where = settings.kafka or "the embedded log"
        yield Finding(check="ledger", state="ok", message=f"generation {generation} on {where}")
        yield doctor.check_lag(ledger)
        ledger.catch_up()
        yield doctor.check_quarantine(ledger)
        yield doctor.check_texts(ledger)
