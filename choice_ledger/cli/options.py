"""Options that many commands share, and how a command comes by its settings."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import rich_click as click

from choice_ledger.exits import ExitCode, Failure
from choice_ledger.settings import InvalidSetting, Loaded, load

FLAGS: Final = "choice_ledger.flags"
"""Where a context keeps the settings that were given as flags, by name."""

JSON: Final = "choice_ledger.json"
"""Where a context keeps whether the answer is to be JSON."""

Callback = TypeVar("Callback", bound=Callable[..., Any])


def settings_options(callback: Callback) -> Callback:
    """Give a command the flags that override settings; they may stand before or after its name."""
    for decorate in reversed(
        (
            _flag(
                "--home",
                metavar="DIRECTORY",
                help="Where the ledger's files are (default: ./choice-ledger-data).",
            ),
            _flag("--kafka", metavar="BROKERS", help="Kafka's addresses: then Kafka is the log."),
            _flag("--tenant", metavar="NAME", help="The controller whose ledger this is (default: main)."),
            _flag(
                "--config",
                metavar="FILE",
                help="The configuration file (default: ./choice-ledger.toml, if any).",
            ),
            _flag("--log-level", metavar="LEVEL", help="debug, info, warning or error (default: warning)."),
        )
    ):
        callback = decorate(callback)
    return callback


def json_option(callback: Callback) -> Callback:
    """Give a command ``--json``: the answer as JSON on standard output, for programs."""
    option = click.option(
        "--json", is_flag=True, expose_value=False, callback=_keep_json, help="Answer in JSON, for programs."
    )
    return option(callback)


def common(callback: Callback) -> Callback:
    """Give a command the settings' flags and ``--json``."""
    return settings_options(json_option(callback))


def loaded_settings(ctx: click.Context) -> Loaded:
    """The settings of this call. A wrong one ends the command before anything is done."""
    flags: dict[str, object] = dict(ctx.meta.get(FLAGS, {}))
    config = flags.pop("config", None)
    try:
        return load(flags, os.environ, None if config is None else Path(str(config)))
    except InvalidSetting as fault:
        raise Failure(ExitCode.USAGE, str(fault)) from None


def told_as_json(ctx: click.Context) -> bool:
    """Whether ``--json`` was given."""
    return bool(ctx.meta.get(JSON, False))


def _flag(name: str, *, metavar: str, help: str) -> Callable[[Callback], Callback]:  # noqa: A002 - click's word
    return click.option(name, metavar=metavar, help=help, expose_value=False, callback=_keep_flag)


def _keep_flag(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None and param.name is not None:
        ctx.meta.setdefault(FLAGS, {})[param.name] = value


def _keep_json(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001 - a callback of click
    if value:
        ctx.meta[JSON] = True
