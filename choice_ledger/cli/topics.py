"""``topics``: the Kafka topics of a ledger."""

import rich_click as click

from choice_ledger.cli.options import common, loaded_settings, told_as_json
from choice_ledger.cli.output import show_json, show_lines
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.settings import Loaded
from choice_ledger.wiring import create_topics, topic_deviations, waivers


@click.group()
def command() -> None:
    """Create and verify the Kafka topics."""


@command.command()
@common
@click.pass_context
def create(ctx: click.Context) -> None:
    """Create the topics that do not exist, as the settings say, and verify them all.

    Fewer copies than three (`kafka_replication`, `kafka_min_insync`) waive a safeguard, which is recorded.
    """
    loaded = _with_kafka(ctx)
    created = create_topics(loaded.settings)
    if not told_as_json(ctx):
        show_lines([f"created {name}" for name in created] or ["every topic exists"])
    _verify(ctx, loaded, created)


@command.command()
@common
@click.pass_context
def verify(ctx: click.Context) -> None:
    """Say what about the topics is weaker than the settings ask for; then the exit code is 6."""
    _verify(ctx, _with_kafka(ctx), ())


def _with_kafka(ctx: click.Context) -> Loaded:
    loaded = loaded_settings(ctx)
    if not loaded.settings.brokers:
        raise Failure(ExitCode.USAGE, "must name brokers: give --kafka, or set CHOICE_LEDGER_KAFKA", "kafka")
    return loaded


def _verify(ctx: click.Context, loaded: Loaded, created: tuple[str, ...]) -> None:
    settings = loaded.settings
    # Any number of partitions will do that somebody chose when the topic was made, unless it is asked for.
    partitions = None if loaded.origins["kafka_partitions"] == "default" else settings.kafka_partitions
    deviations = topic_deviations(settings, partitions)
    if told_as_json(ctx):
        waived = waivers(settings)
        show_json({"created": created, "deviations": deviations, "waived": waived})
    elif deviations:
        show_lines(deviations)
    else:
        show_lines(["the topics are as they must be"])
    if deviations:
        raise Failure(ExitCode.MISMATCH, f"the topics are too weak in {len(deviations)} points")
