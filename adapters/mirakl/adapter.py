"""Mirakl: one adapter for the marketplaces of hundreds of operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from adapters.mirakl import catalog, checkup, deciding, listings, looking, papers, shipping
from adapters.mirakl.client import Mirakl
from adapters.mirakl.described import ERRORS, FIELDS, UNVERIFIED
from adapters.mirakl.imports import lot_status
from adapters.mirakl.limits import LIMITS
from adapters.mirakl.offers import broken_rules
from adapters.mirakl.orders import to_market
from adapters.mirakl.polling import Cursor
from adapters.mirakl.settings import MiraklSettings
from adapters.mirakl.wire import rows_of, total_of
from connector.sdk import (
    Adapter,
    Capability,
    Category,
    CategoryAttribute,
    Found,
    Invoice,
    LotStatus,
    MarketOrder,
    Offer,
    OrderPage,
    Outcomes,
    PriceStock,
    Tracking,
)


class MiraklAdapter(Adapter[MiraklSettings]):
    """A shop on one operator's Mirakl: a static key, imports that take their time, polling."""

    name = "mirakl"
    title = "Mirakl"
    settings_model = MiraklSettings
    capabilities = frozenset(
        {
            Capability.CREATE,
            Capability.CONTENT,
            Capability.PRICE_STOCK,
            Capability.BLOCK,
            Capability.DELETE,
            Capability.FIND,
            Capability.LOTS,
            Capability.CATEGORIES,
            Capability.ATTRIBUTES,
            Capability.BY_EAN,
            Capability.POLLING,
            Capability.ACCEPT,
            Capability.CANCEL,
            Capability.INVOICE,
            Capability.TRACKING,
        }
    )
    limits = LIMITS
    fields = FIELDS
    errors = ERRORS
    unverified = UNVERIFIED
    # One import a minute: each has to carry as much as it can.
    batch_size = 5_000
    turn_size = 5_000
    poll_every_s = 300
    refunds_shipped = True
    # A file of new products may wait for the operator's people for days; imports of offers are
    # given up much earlier, see imports.py.
    lot_patience_s = 21 * 86_400

    @classmethod
    def base_url(cls, settings: MiraklSettings) -> str:
        """The operator's address."""
        return str(settings.base_url).rstrip("/")

    @property
    def mirakl(self) -> Mirakl:
        """The way to the operator's API."""
        return Mirakl(self.settings, self.http, self.clock)

    @cached_property
    def _lists(self) -> catalog.ValueLists:
        return catalog.ValueLists()

    async def check(self) -> str:
        """Ask for the shop's name, and whether the operator has the codes that are set."""
        return await checkup.check(self.mirakl)

    def validate(self, offer: Offer) -> list[str]:
        """The rules that hold at every operator."""
        return broken_rules(offer, self.settings)

    # --- listings -------------------------------------------------------------------------------

    async def create(self, offers: Sequence[Offer]) -> Outcomes:
        """Offer known products (OF24), make unknown ones known first (P41)."""
        return await listings.create(self.mirakl, offers)

    async def update_content(self, offers: Sequence[Offer]) -> Outcomes:
        """Send whole offers again, and their products where that is wanted."""
        return await listings.update_content(self.mirakl, offers)

    async def update_price_stock(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Import stock and prices (STO01, PRI01)."""
        return await listings.price_and_stock(self.mirakl, terms)

    async def block(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Import a stock of zero (STO01): Mirakl has no other way to keep an offer unsold."""
        return await listings.out_of_stock(self.mirakl, terms)

    async def delete(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Take offers away (OF24)."""
        return await listings.delete(self.mirakl, terms)

    async def find(self, skus: Sequence[str]) -> Mapping[str, Found]:
        """Look offers up (OF21)."""
        return await looking.find(self.mirakl, skus)

    async def lot(self, lot_id: str) -> LotStatus:
        """Ask how far imports are (OF02, STO02, PRI02, P42), read their error reports."""
        return await lot_status(self.mirakl, lot_id)

    async def categories(self) -> Sequence[Category]:
        """The operator's catalog categories (H11)."""
        return await catalog.categories(self.mirakl)

    async def attributes(self, category_id: str) -> Sequence[CategoryAttribute]:
        """What a category asks for (PM11, VL11)."""
        return await catalog.attributes(self.mirakl, category_id, self._lists)

    async def category_by_ean(self, ean: str) -> str:
        """The category of the operator's own product (P31)."""
        return await looking.category_by_ean(self.mirakl, ean)

    # --- orders -----------------------------------------------------------------------------------

    async def orders_since(self, cursor: str) -> OrderPage:
        """Orders by time of change (OR11)."""
        place = Cursor.parse(cursor)
        response = await self.mirakl.get("/api/orders", "OR11.orders-poll", query=place.query())
        rows = rows_of(response, "orders")
        return place.advance(rows, total_of(response), self.clock.now())

    async def order(self, key: str) -> MarketOrder | None:
        """Read one order (OR11 with its id)."""
        found = await deciding.read(self.mirakl, key)
        return None if found is None else to_market(found, self.settings)

    async def accept(self, key: str) -> None:
        """Take all lines of an order (OR21)."""
        await deciding.accept(self.mirakl, key)

    async def cancel(self, key: str, reason: str) -> None:
        """Refuse, cancel or refund the whole order; Mirakl takes the operator's codes as reasons,
        no words.
        """
        del reason
        await deciding.cancel(self.mirakl, key)

    async def send_invoice(self, key: str, invoice: Invoice) -> None:
        """Hand over an invoice (OR74, OR31), and make its parcel (ST01)."""
        await papers.send_invoice(self.mirakl, key, invoice)

    async def send_tracking(self, key: str, tracking: Tracking) -> None:
        """Say how a parcel travels and that it left (OR23 and OR24, or ST23 and ST24)."""
        await shipping.send_tracking(self.mirakl, key, tracking)
