"""Every endpoint of the service. Each part of the service brings its own rows."""

from typing import Final

from choice_ledger.http.authzen import AUTHZEN
from choice_ledger.http.checking import CHECKING
from choice_ledger.http.documenting import documenting
from choice_ledger.http.endpoints import Endpoint
from choice_ledger.http.operating import OPERATING
from choice_ledger.http.reading import READING
from choice_ledger.http.writing import WRITING

_PARTS: Final[tuple[Endpoint, ...]] = (*WRITING, *CHECKING, *READING, *AUTHZEN, *OPERATING)

ENDPOINTS: Final[tuple[Endpoint, ...]] = (*_PARTS, *documenting(_PARTS))
"""All rows, in the order in which the documentation shows them."""
