"""Stock of the simulated store: totals, reservations, and when readers see a change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.sandbox.vtexsim.notifications import NotificationRoom

if TYPE_CHECKING:
    from connector.sandbox.vtexsim.order_state import SimOrder
    from connector.sandbox.vtexsim.state import Sku


class StockRoom(NotificationRoom):
    """Reserves on placement, gives back on cancellation, ships on invoice (protocol 5.7)."""

    def stock_parts(self, sku: Sku, quantity: int) -> dict[int, int]:
        """What one order line takes off the shelves: the SKU itself, or the parts of a kit."""
        if not sku.kit:
            return {sku.id: quantity}
        return {part.sku_id: part.amount * quantity for part in sku.kit}

    def fits(self, wanted: dict[int, int]) -> bool:
        """Whether all of this is really in stock."""
        return all(self.catalog.skus[sku].stock.current >= count for sku, count in wanted.items())

    def reserve(self, order: SimOrder) -> None:
        """Take an order's items out of the stock that can be promised."""
        for sku_id, count in order.reserved.items():
            self._shift(self.catalog.skus[sku_id], reserved=count)
        self.record("stock.reserved", order=order.order_id, items=dict(order.reserved))

    def release(self, order: SimOrder) -> None:
        """Give a canceled order's items back."""
        for sku_id, count in order.reserved.items():
            self._shift(self.catalog.skus[sku_id], reserved=-count)
        self.record("stock.released", order=order.order_id, items=dict(order.reserved))
        order.reserved = {}

    def ship(self, order: SimOrder) -> None:
        """Turn an invoiced order's reservation into stock that left the house."""
        for sku_id, count in order.reserved.items():
            sku = self.catalog.skus[sku_id]
            sku.reserved -= count
            sku.total = max(0, sku.total - count)
        order.reserved = {}

    def refresh_stock(self, sku: Sku, *, lag_s: float) -> None:
        """Recompute what can be promised; readers see it after ``lag_s``."""
        sku.stock.set(sku.free, self._later(lag_s))

    def _shift(self, sku: Sku, *, reserved: int) -> None:
        settings = self.settings
        sku.reserved += reserved
        lag = settings.stale_stock_s if settings.stale_after_reservation else 0.0
        self.refresh_stock(sku, lag_s=lag)
        self.announce_stock(sku, silent=not settings.notify_reservations)
