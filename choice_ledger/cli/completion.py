"""``completion``: the script by which a shell completes this command line."""

import os

import rich_click as click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    For bash: `choice-ledger completion bash > ~/.local/share/bash-completion/completions/choice-ledger`.
    """
    # The framework's own way to ask for the script: a variable named after the command.
    os.environ["_CHOICE_LEDGER_COMPLETE"] = f"{shell}_source"
    ctx.find_root().command.main(args=[], prog_name="choice-ledger")
