"""What is read of the ledger over HTTP: permissions, reasons, histories, policies, and the log itself."""

from typing import Final

from choice_ledger.http.endpoints import Endpoint
from choice_ledger.http.event_stream import EVENTS
from choice_ledger.http.history import HISTORY
from choice_ledger.http.permissions import PERMISSIONS
from choice_ledger.http.policies import POLICIES
from choice_ledger.http.why import WHY

READING: Final[tuple[Endpoint, ...]] = (*WHY, *PERMISSIONS, *HISTORY, *POLICIES, *EVENTS)
"""The rows of all these parts."""
