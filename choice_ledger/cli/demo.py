"""``demo``: the worked example, on a ledger of its own."""

import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec
import rich_click as click
import uvloop

from choice_ledger.cli.options import loaded_settings, settings_options
from choice_ledger.cli.output import show_lines
from choice_ledger.demo import (
    INDIVIDUAL,
    PURPOSE,
    RECIPIENT,
    TENANT,
    DemoFault,
    examples,
    play,
    put_wordings,
    verify,
)
from choice_ledger.demo_service import ask_over_http, make_token
from choice_ledger.exits import ExitCode, Failure
from choice_ledger.knowledge import holds_its_own
from choice_ledger.settings import Loaded, Settings, environment_name
from choice_ledger.wiring import create_topics, open_ledger, replicas_at_most

TOPICS = "choice-ledger-demo"
"""How the demo's topics begin, so that they are nobody else's."""


@click.command()
@settings_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """Walk through a worked example: a policy, a person, a third party, a letter that arrives late.

    The ledger is kept, in a temporary directory unless --home names one, so that you can look around in it.
    With --kafka (or CHOICE_LEDGER_KAFKA) its log is on Kafka.
    """
    settings = _demo_settings(loaded_settings(ctx))
    if settings.brokers:
        create_topics(settings)
    with open_ledger(settings) as ledger:
        if holds_its_own(ledger.source):
            raise _in_use(settings)
        texts = put_wordings(ledger)
        where = f"on Kafka at {settings.kafka}" if settings.brokers else "in one file"
        show_lines(
            [
                f"A ledger in {settings.home}, its log {where}. {texts} texts for people are stored.",
                f"The question: may {PURPOSE} be done for {INDIVIDUAL}, may {RECIPIENT} have the address?",
            ]
        )
        try:
            play(ledger, lambda line: show_lines([line]))
            count = verify(ledger)
        except DemoFault as fault:
            raise Failure(ExitCode.MISMATCH, str(fault)) from None
    show_lines(["", f"All {count} questions of the example have the answers that it says they must have."])
    token = make_token(settings)
    _ask_the_service(settings, token)
    show_lines(_next(settings, token))


def _ask_the_service(settings: Settings, token: str) -> None:
    try:
        count = uvloop.run(ask_over_http(settings, token))
    except DemoFault as fault:
        raise Failure(ExitCode.MISMATCH, str(fault)) from None
    show_lines(
        [f"The HTTP service, started on this ledger, gave the same {count} answers to POST /v1/checks."]
    )


def _in_use(settings: Settings) -> Failure:
    if settings.brokers:
        message = f"has topics {TOPICS}.* that hold a ledger in use; delete them, and begin again"
        return Failure(ExitCode.USAGE, message, "kafka")
    return Failure(ExitCode.USAGE, "holds a ledger that is in use; name another with --home", "home")


def _demo_settings(loaded: Loaded) -> Settings:
    settings = msgspec.structs.replace(loaded.settings, tenant=TENANT)
    if loaded.origins["home"] == "default":
        home = tempfile.mkdtemp(prefix="choice-ledger-demo-")
        settings = msgspec.structs.replace(settings, home=home)
    if not settings.brokers:
        return settings
    copies = replicas_at_most(settings)
    return msgspec.structs.replace(
        settings,
        kafka_topic_individuals=f"{TOPICS}.individuals",
        kafka_topic_policies=f"{TOPICS}.policies",
        kafka_replication=copies,
        kafka_min_insync=min(settings.kafka_min_insync, max(1, copies - 1)),
    )


def _next(settings: Settings, token: str) -> list[str]:
    """What to look at next, as commands that can be pasted."""
    defaults = Settings()
    changed = {
        name: value
        for name in Settings.__struct_fields__
        if (value := getattr(settings, name)) != getattr(defaults, name) and name != "kafka_password"
    }
    exports = [
        f"  export {environment_name(name)}={shlex.quote(str(value))}" for name, value in changed.items()
    ]
    if shutil.which("choice-ledger") is None:  # As after `make demo`, which installs into its own folder.
        exports.append(f"  export PATH={shlex.quote(str(Path(sys.argv[0]).resolve().parent))}:$PATH")
    question = f"{INDIVIDUAL} {PURPOSE} --recipient {RECIPIENT}"
    return [
        "",
        "Look around in it:",
        *exports,
        f"  choice-ledger why {question} --at 2026-06-05T00:00:00Z",
        f"  choice-ledger why {question} --at 2026-06-05T00:00:00Z --known-at 2026-06-05T00:00:00Z",
        f"  choice-ledger history {INDIVIDUAL}",
        "  choice-ledger policy show privacy --version 2",
        f"  choice-ledger check --questions {shlex.quote(str(examples() / 'questions.ndjson'))}",
        f"  choice-ledger choice record {INDIVIDUAL} --opt-out website.surveys --medium web",
        "  choice-ledger rebuild && choice-ledger doctor",
        "",
        f"Serve it, then open http://{settings.host}:{settings.port}/docs, and ask from another terminal:",
        *exports,
        "  choice-ledger serve",
        f"  curl -s http://{settings.host}:{settings.port}/v1/check -H 'Authorization: Bearer {token}' \\",
        f"    --json '{_example_question()}'",
    ]


def _example_question() -> str:
    question = {"individual": INDIVIDUAL, "purpose": PURPOSE, "recipient": RECIPIENT}
    return msgspec.json.encode(question).decode()
