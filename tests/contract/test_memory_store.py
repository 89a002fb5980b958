"""The memory store meets the contract of its port."""

import pytest

from projections.memory_store import MemoryStore
from tests.contract.state_store_contract import StateStoreContract
from tests.contract.store_changes import OpenStore


class TestMemoryStore(StateStoreContract):
    """Every requirement but survival, which a store in memory does not offer."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """A store of its own for each test."""
        return MemoryStore
