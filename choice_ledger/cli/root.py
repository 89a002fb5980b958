"""The root command: a table of sub-commands, each imported only when it is called, and how they all end."""

import importlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import rich_click as click

from choice_ledger.cli.options import settings_options, told_as_json
from choice_ledger.cli.output import show_failure
from choice_ledger.exits import ExitCode, Failure

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "check": ("check", "Answer whether a use is permitted, one question or a file of them."),
    "why": ("why", "Explain a decision in plain sentences, with the events that decided it."),
    "permissions": ("permissions", "Show every use of one individual's data, and whether it is permitted."),
    "history": ("history", "Show every event of one individual."),
    "policy": ("policy", "Draft, review, publish, show, list and withdraw policies."),
    "notice": ("notice", "Record notices, and whether they arrived."),
    "choice": ("choice", "Record opt-outs and opt-ins, and who has put them into effect."),
    "individual": ("individual", "Describe, link, unlink and erase individuals."),
    "restriction": ("restriction", "Restrict processing, and lift restrictions."),
    "disclosure": ("disclosure", "Record disclosures, and those that the law compels."),
    "framework": ("framework", "Say which transfer frameworks are in force."),
    "delivery": ("delivery", "Record which notices are to be sent, and what came of it."),
    "request": ("request", "Record requests of individuals, and their stages."),
    "complaint": ("complaint", "Record complaints of individuals, and their stages."),
    "mandate": ("mandate", "Record who may act for an individual."),
    "personal-data": ("personal_data", "Record encrypted personal fields, and who read them."),
    "safeguard": ("safeguard", "Go on without a safeguard, on record."),
    "quarantine": ("quarantine", "List unreadable records, and resolve them."),
    "import": ("import_lines", "Record events from files in the line format."),
    "export": ("export", "Write every event in the line format, in log order."),
    "rebuild": ("rebuild", "Make the state anew from the first event, and print its digest."),
    "serve": ("serve", "Serve HTTP until interrupted."),
    "token": ("token", "Create, list, rotate and revoke the tokens that calls carry."),
    "service": ("service", "Register the tenant's own services."),
    "work": ("work", "Fold events and run all consumers until interrupted."),
    "digest": ("digest", "Print the digest of the state."),
    "topics": ("topics", "Create and verify the Kafka topics."),
    "doctor": ("doctor", "Check that everything is as it must be."),
    "demo": ("demo", "Walk through a worked example on a ledger of its own."),
    "config": ("config", "Show the settings, and where each came from."),
    "completion": ("completion", "Print a shell's completion script."),
}
"""Each sub-command's module under ``choice_ledger.cli``, and its one line of help."""

PANELS: Final[dict[str, tuple[str, ...]]] = {
    "Ask": ("check", "why", "permissions", "history"),
    "Record": (
        "policy",
        "notice",
        "choice",
        "individual",
        "restriction",
        "disclosure",
        "framework",
        "delivery",
        "request",
        "complaint",
        "mandate",
        "personal-data",
        "safeguard",
    ),
    "Operate": (
        "import",
        "export",
        "rebuild",
        "serve",
        "token",
        "service",
        "work",
        "digest",
        "quarantine",
        "topics",
        "doctor",
        "config",
    ),
    "Begin": ("demo", "completion"),
}
"""Under which heading ``--help`` shows each sub-command."""


ARGUMENTS: Final = "choice_ledger.arguments"
"""Where a context keeps what was written after the program's name."""

WORD_SHOWN_MAX: Final = 64
"""Characters of a word of the command line that a message repeats; a longer one is no slip of the pen."""

WORD_HIDDEN_MIN: Final = 3
"""Characters from which on a word is hidden: shorter ones name nobody, and stand in other words too."""

_PLAIN_WORD: Final = re.compile(r"-{0,2}[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


class LazyGroup(click.RichGroup):
    """The root group. ``--help`` shows the table; only the command that is called is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """Every sub-command, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as click has it
        """The command itself where it is loaded, else what ``--help`` has to know of it."""
        if cmd_name not in COMMANDS:
            return None
        return self.commands.get(cmd_name) or click.RichCommand(name=cmd_name, help=COMMANDS[cmd_name][1])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import the command that the arguments name."""
        if args and args[0] in COMMANDS and args[0] not in self.commands:
            self.commands[args[0]] = load(args[0])
        return super().resolve_command(ctx, args)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's own
    ) -> click.Context:
        """Keep the arguments, of which no message may repeat what could be about a person."""
        arguments = tuple(args)
        try:
            ctx = super().make_context(info_name, args, parent, **extra)
        except click.UsageError as fault:
            hide_values(fault, arguments)
            raise
        ctx.meta[ARGUMENTS] = arguments
        return ctx

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command; tell a failure in one line on standard error, and end with its code."""
        for_programs = "--json" in ctx.args  # Known before the command's own options are read.
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except Failure as failure:
            show_failure(failure, as_json=told_as_json(ctx))
            ctx.exit(failure.code)
        except click.UsageError as fault:
            hide_values(fault, ctx.meta[ARGUMENTS])
            if not for_programs:
                raise
            show_failure(misused(fault), as_json=True)
            ctx.exit(ExitCode.USAGE)
        except (KeyboardInterrupt, click.Abort):
            sys.stderr.write("interrupted; what was acknowledged is recorded\n")
            ctx.exit(ExitCode.INTERRUPTED)
        except BrokenPipeError:
            close_standard_output()
            ctx.exit(ExitCode.PIPE_CLOSED)
        except Exception as fault:
            if hasattr(fault, "exit_code"):
                raise  # The framework's own ways to end.
            show_failure(failure_of(fault), as_json=told_as_json(ctx))
            ctx.exit(failure_of(fault).code)
        return result


def without_values(message: str, arguments: Sequence[str]) -> str:
    """A message of the framework without the words of the command line that are neither names nor options."""
    parts = {part for word in arguments for part in (word, *word.split("=", 1))}
    for part in sorted(parts, key=len, reverse=True):
        is_shown = len(part) <= WORD_SHOWN_MAX and _PLAIN_WORD.fullmatch(part) is not None
        if not is_shown and len(part) >= WORD_HIDDEN_MIN:
            message = message.replace(part, "…").replace(repr(part)[1:-1], "…")
    return message


def hide_values(fault: click.UsageError, arguments: Sequence[str]) -> None:
    """Take out of the framework's message what it repeats of the command line."""
    fault.message = without_values(fault.message, arguments)  # type: ignore[misc]  # Its own words are no longer said.


def misused(fault: click.UsageError) -> Failure:
    """The failure that a wrong command line comes to; its field is the parameter, where it is one."""
    if isinstance(fault, click.BadParameter) and fault.param is not None and fault.param.name:
        return Failure(ExitCode.USAGE, fault.message or "must be given; see --help", fault.param.name)
    return Failure(ExitCode.USAGE, fault.format_message())


def failure_of(fault: Exception) -> Failure:
    """The failure that a fault comes to; what every fault means is imported only when there is one."""
    module = importlib.import_module("choice_ledger.fault_codes")
    failure: Failure = module.failure_of(fault)
    return failure


def load(name: str) -> click.Command:
    """Import a sub-command; its module has it under the name ``command``."""
    module = importlib.import_module(f"choice_ledger.cli.{COMMANDS[name][0]}")
    command: click.Command = module.command
    return command


def close_standard_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush is quiet."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


@click.group(cls=LazyGroup, name="choice-ledger")
@settings_options
@click.version_option(package_name="choice-ledger", prog_name="choice-ledger")
@click.rich_config(
    {
        "command_groups": {
            "choice-ledger": [{"name": name, "commands": list(commands)} for name, commands in PANELS.items()]
        },
        "max_width": 110,
    }
)
def root() -> None:
    """Record what was declared, told and chosen, and answer what is therefore permitted.

    Begin with `choice-ledger demo`. Every command takes `--help`.
    """


def main() -> None:
    """Run the command line, as the installed script does."""
    open_closed_streams()
    sys.exit(_flushed(_run()))


def _run() -> object:
    """Run it; the code with which it ends."""
    try:
        root(prog_name="choice-ledger")
    except SystemExit as ended:
        return ended.code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except OSError as fault:  # Help is written before any command runs.
        return _untold(fault)
    return ExitCode.OK


def _flushed(code: Any) -> Any:  # noqa: ANN401 - whatever ``sys.exit`` was given
    """Write out what is left; the code, or another where all went well and that cannot be told."""
    try:
        sys.stdout.flush()
    except OSError as fault:
        close_standard_output()
        return code or _untold(fault)
    return code


def _untold(fault: OSError) -> ExitCode:
    if isinstance(fault, BrokenPipeError):
        return ExitCode.PIPE_CLOSED
    show_failure(failure_of(fault), as_json=False)
    return failure_of(fault).code


def open_closed_streams() -> None:
    """Where the caller closed a standard stream, read nothing and write nowhere.

    Else a file that is opened next, such as the log, would get the number of the stream.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for as long as the program runs
