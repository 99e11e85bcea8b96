"""What every store must do. A driver's test module subclasses it and gives ``store``."""

from __future__ import annotations

from tests.contract.books_contract import BooksContract
from tests.contract.pending_contract import PendingContract


class StoreContract(PendingContract, BooksContract):
    """Semantics of ``ports.Store``."""
