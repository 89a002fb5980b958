"""One running service for a module's tests."""

from collections.abc import Iterator

import pytest

from tests.http.serving import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on a fresh ledger. Tests of one module share it: use individuals of your own."""
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running
