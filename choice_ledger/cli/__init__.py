"""The command line. ``main`` is what ``choice-ledger`` runs; a sub-command is imported when it is called."""

from choice_ledger.cli.root import main

__all__ = ["main"]
