"""``python -m choice_ledger``: the command line, where the script is not on the path."""

from choice_ledger.cli import main

main()
