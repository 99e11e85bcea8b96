import pytest

from connector.drivers.memory_store import MemoryStore
from connector.ports import EntryQuery
from tests.contract.store_contract import StoreContract
from tests.contract.store_words import C, entry, mark


class TestMemoryStore(StoreContract):
    @pytest.fixture
    async def store(self, clock):
        return MemoryStore(clock)

    async def test_it_outlives_its_hub(self, store):
        await store.commit([mark(), entry()])
        await store.close()
        assert len(await self.claim(store)) == 1
        assert len(await store.entries(EntryQuery(C))) == 1
