"""Telling what is wrong with the lines of a file, as it is found."""

import sys

from choice_ledger.cli.output import safe
from choice_ledger.importing import LineFault


class FaultTeller:
    """Tells each fault on standard error with the file and the line, and counts them."""

    def __init__(self, file: str) -> None:
        """Faults of this file."""
        self.file = "standard input" if file == "-" else file
        self.count = 0

    def tell(self, fault: LineFault) -> None:
        """Tell one fault."""
        self.count += 1
        field = f" `{fault.field}`" if fault.field else ""
        sys.stderr.write(f"{safe(self.file)}:{fault.number}:{field} {safe(fault.message)}\n")
