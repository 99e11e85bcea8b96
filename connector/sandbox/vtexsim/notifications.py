"""Affiliate notifications: what VTEX tells each marketplace about changed SKUs (protocol 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connector.sandbox.vtexsim.core import VtexCore
from connector.sandbox.vtexsim.outbox import Message

if TYPE_CHECKING:
    from connector.sandbox.vtexsim.state import Affiliate, Product, Sku


@dataclass(frozen=True, slots=True)
class Change:
    """Which flags a notification carries; none of them is a re-index."""

    price: bool = False
    stock: bool = False
    content: bool = False
    removed_from: int | None = None

    @property
    def is_reindex(self) -> bool:
        """Whether nothing in particular changed."""
        return not (self.price or self.stock or self.content) and self.removed_from is None


class NotificationRoom(VtexCore):
    """Sends one message per SKU and affiliate, and misbehaves as settings say (protocol 3.5)."""

    @property
    def unsent_notifications(self) -> int:
        """How many notifications wait or are on their way."""
        return len(self.outbox.waiting) + self.outbox.working

    def announce(self, sku: Sku, change: Change, *, silent: bool = False) -> None:
        """Tell every affiliate that sells this SKU, unless the change is one VTEX keeps quiet."""
        if silent:
            return
        for affiliate in self.affiliates.values():
            concerned = affiliate.sales_channel in sku.policies
            if affiliate.search_uri and (
                concerned or change.removed_from == affiliate.sales_channel
            ):
                self._announce_to(affiliate, sku, change)

    def announce_product(self, product: Product, change: Change, *, silent: bool = False) -> None:
        """Tell of every SKU of a product, changed or not."""
        for sku_id in product.sku_ids:
            self.announce(self.catalog.skus[sku_id], change, silent=silent)

    def announce_stock(self, sku: Sku, *, silent: bool = False) -> None:
        """Tell of changed stock, of the SKU and of the kits it is part of."""
        self.announce(sku, Change(stock=True), silent=silent)
        for kit_id in self.catalog.kits_of.get(sku.id, ()):
            self.announce(self.catalog.skus[kit_id], Change(stock=True), silent=silent)

    def _announce_to(self, affiliate: Affiliate, sku: Sku, change: Change) -> None:
        settings = self.settings
        if self._coalesced(affiliate, sku) or self.chance(settings.notify_loss):
            self.record("notification.lost", sku=sku.id, affiliate=affiliate.id)
            return
        message = Message(
            affiliate.search_uri or "", self._body(affiliate, sku, change), affiliate.id, sku.id
        )
        if self.chance(settings.notify_late):
            self.spawn(self._post_later(message, settings.notify_late_s))
        else:
            self._enqueue(message)
        if self.chance(settings.notify_duplicate):
            self._enqueue(Message(message.url, message.body, message.affiliate_id, message.sku_id))

    def _coalesced(self, affiliate: Affiliate, sku: Sku) -> bool:
        settings, key, now = self.settings, (affiliate.id, sku.id), self.clock.now()
        if not settings.coalesce_s:
            return False
        last = self.outbox.last_told.get(key)
        self.outbox.last_told[key] = now
        near = last is not None and (now - last).total_seconds() < settings.coalesce_s
        return near and self.chance(settings.notify_coalesce)

    def _body(self, affiliate: Affiliate, sku: Sku, change: Change) -> dict[str, Any]:
        style = self.settings.notify_casing
        if style == "mixed":
            style = self.rng.choice(("canonical", "canonical", "camel", "minimal"))
        active = self.catalog.is_active(sku)
        if change.is_reindex:
            # Seen in the wild: a re-index says IsActive false of SKUs that are active.
            active = active and not self.chance(0.5)
        full: dict[str, Any] = {
            "IdSku": str(sku.id),
            "An": self.settings.account,
            "IdAffiliate": affiliate.id,
            "DateModified": self.stamp(),
            "IsActive": active,
            "StockModified": change.stock,
            "PriceModified": change.price,
            "HasStockKeepingUnitModified": change.content,
            "HasStockKeepingUnitRemovedFromAffiliate": change.removed_from is not None,
        }
        if style == "minimal" and (change.stock or change.price):
            names = ("IdSku", "An", "IdAffiliate", "StockModified", "PriceModified")
            return {name: full[name] for name in names}
        product_id = self.rng.choice((sku.product_id, str(sku.product_id), None))
        if product_id is not None:
            full["ProductId"] = product_id
        if style == "camel":
            return {_camel(name): value for name, value in full.items()}
        return full

    # --- delivery ----------------------------------------------------------------

    def _enqueue(self, message: Message) -> None:
        self.outbox.waiting.append(message)
        if self.outbox.working < self.settings.notify_concurrency:
            self.outbox.working += 1
            self.spawn(self._work())

    async def _work(self) -> None:
        try:
            while self.outbox.waiting:
                await self._post(self.outbox.waiting.popleft())
        finally:
            self.outbox.working -= 1

    async def _post_later(self, message: Message, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self._enqueue(message)

    async def _post(self, message: Message) -> None:
        answer = await self.post_out(message.url, message.body, "vtex.notification")
        told = {"sku": message.sku_id, "affiliate": message.affiliate_id}
        if answer is not None and answer.ok:
            if self.settings.record_deliveries:
                self.record("notification.delivered", **told, attempt=message.attempt)
            return
        settings = self.settings
        if message.attempt >= settings.notify_retries:
            self.record("notification.lost", **told)
            return
        wait = settings.notify_retry_s * settings.notify_retry_factor**message.attempt
        message.attempt += 1
        self.spawn(self._post_later(message, wait))


def _camel(name: str) -> str:
    return "idSKU" if name == "IdSku" else name[0].lower() + name[1:]
