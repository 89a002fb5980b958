"""Every endpoint of the service. Each part of the service brings its own rows."""

from typing import Final

from choice_ledger.http.endpoints import Endpoint
from choice_ledger.http.operating import OPERATING

ENDPOINTS: Final[tuple[Endpoint, ...]] = (*OPERATING,)
"""All rows, in the order in which the documentation shows them."""
