"""What the seller does to products: prices, stock, activity, content, promotions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from connector.sandbox.vtexsim.notifications import Change
from connector.sandbox.vtexsim.state import (
    Image,
    Lagged,
    Price,
    Product,
    Promotion,
    Sku,
    TradePolicy,
)
from connector.sandbox.vtexsim.stock import StockRoom

if TYPE_CHECKING:
    from collections.abc import Iterable


class SellerRoom(StockRoom):
    """Every method changes the truth at once and announces it, unless ``silent`` (protocol 3.5)."""

    def sku(self, sku_id: str | int) -> Sku:
        """A SKU of the catalog.

        Raises:
            LookupError: there is none.
        """
        sku = self.catalog.sku(sku_id)
        if sku is None:
            raise LookupError(f"no SKU {sku_id}")
        return sku

    def set_price(
        self,
        sku_id: str | int,
        price: int | None,
        list_price: int | None = None,
        *,
        sales_channel: int | None = None,
        silent: bool = False,
    ) -> None:
        """Price a SKU in cents per measurement unit; None takes its price away."""
        sku = self.sku(sku_id)
        value = None if price is None else Price(price, list_price or price)
        lagged = sku.price
        if sales_channel is not None:
            lagged = sku.channel_prices.setdefault(sales_channel, Lagged(sku.price.current))
        lagged.set(value, self._later(self.settings.stale_price_s))
        self.record("sku.price", sku=sku.id, price=price, channel=sales_channel, silent=silent)
        self.announce(sku, Change(price=True), silent=silent)

    def set_stock(
        self,
        sku_id: str | int,
        quantity: int,
        *,
        unlimited: bool = False,
        silent: bool = False,
    ) -> None:
        """Set the total quantity in the warehouse; reservations are taken from it."""
        sku = self.sku(sku_id)
        sku.total, sku.unlimited = max(0, quantity), unlimited
        self.refresh_stock(sku, lag_s=self.settings.stale_stock_s)
        self.record("sku.stock", sku=sku.id, total=quantity, free=sku.free, silent=silent)
        self.announce_stock(sku, silent=silent)

    def set_active(self, sku_id: str | int, active: bool, *, silent: bool = False) -> None:
        """Activate or deactivate one SKU."""
        sku = self.sku(sku_id)
        sku.active = active
        sku.context = None
        self.record("sku.active", sku=sku.id, active=active, silent=silent)
        self.announce(sku, Change(content=True), silent=silent)

    def set_product_active(self, product_id: int, active: bool, *, silent: bool = False) -> None:
        """Activate or deactivate a product; its SKUs keep saying that they are active."""
        product = self._known_product(product_id)
        product.active = active
        self._forget(product)
        self.record("product.active", product=product.id, active=active, silent=silent)
        self.announce_product(product, Change(content=True), silent=silent)

    def set_trade_policy(
        self, sku_id: str | int, sales_channel: int, member: bool, *, silent: bool = False
    ) -> None:
        """Put a SKU into a trade policy or take it out."""
        sku = self.sku(sku_id)
        (sku.policies.add if member else sku.policies.discard)(sales_channel)
        sku.context = None
        self.record("sku.policy", sku=sku.id, channel=sales_channel, member=member, silent=silent)
        change = Change(content=True) if member else Change(removed_from=sales_channel)
        self.announce(sku, change, silent=silent)

    def remove_sku_from_policy(
        self, sku_id: str | int, sales_channel: int | None = None, *, silent: bool = False
    ) -> None:
        """Take a SKU out of the account's main trade policy or another one."""
        channel = self.settings.sales_channel if sales_channel is None else sales_channel
        self.set_trade_policy(sku_id, channel, member=False, silent=silent)

    def set_policy_active(self, sales_channel: int, active: bool) -> None:
        """Switch a whole trade policy on or off; VTEX announces nothing."""
        policy = self.catalog.policies.get(sales_channel)
        name = policy.name if policy else f"Canal {sales_channel}"
        self.catalog.policies[sales_channel] = TradePolicy(sales_channel, name, active)
        self.record("policy.active", channel=sales_channel, active=active)

    def edit_content(
        self,
        sku_id: str | int,
        *,
        name: str | None = None,
        product_name: str | None = None,
        description: str | None = None,
        new_image: bool = False,
        silent: bool = False,
    ) -> None:
        """Change texts or pictures; a change on the product is told for all of its SKUs."""
        sku = self.sku(sku_id)
        product = self.catalog.products[sku.product_id]
        if name is not None:
            sku.name = name
        if new_image:
            number = 9_000_000 + sum(len(each.images) for each in self.catalog.skus.values())
            sku.images = [Image(number, f"foto-{sku.id}-{number}", "nova"), *sku.images]
        product.name = product.name if product_name is None else product_name
        product.description = product.description if description is None else description
        self._forget(product)
        self.record("sku.content", sku=sku.id, product=product.id, silent=silent)
        if product_name is None and description is None:
            self.announce(sku, Change(content=True), silent=silent)
        else:
            self.announce_product(product, Change(content=True), silent=silent)

    def create_sku(
        self,
        *,
        name: str = "Novo",
        price: int | None = 9990,
        stock: int = 10,
        product_id: int | None = None,
        sales_channels: Iterable[int] | None = None,
        silent: bool = False,
    ) -> Sku:
        """Add a SKU to a product, or with a product of its own, and tell of it."""
        channels = {self.settings.sales_channel} if sales_channels is None else set(sales_channels)
        product = self._new_product(name) if product_id is None else self._known_product(product_id)
        number = max(self.catalog.skus, default=1000) + 1
        sku = Sku(
            id=number,
            product_id=product.id,
            name=name,
            price=Lagged(None if price is None else Price(price, price)),
            stock=Lagged(stock),
            total=stock,
            ref_id=f"NEW-{number}",
            policies=channels,
            images=[Image(8_000_000 + number, f"foto-{number}", "frente")],
        )
        self.catalog.add(product, sku)
        self.record("sku.created", sku=sku.id, product=product.id, silent=silent)
        self.announce(sku, Change(content=True), silent=silent)
        return sku

    def reindex(self, count: int | None = None) -> int:
        """Re-index the first ``count`` SKUs or all: a burst of notifications without flags."""
        chosen = list(self.catalog.skus.values())[:count]
        self.record("catalog.reindex", count=len(chosen))
        for sku in chosen:
            self.announce(sku, Change())
        return len(chosen)

    def schedule_promotion(
        self,
        sku_ids: Iterable[str | int],
        percent: float,
        *,
        begins_in_s: float = 0.0,
        lasts_s: float = 3600.0,
        sales_channel: int | None = None,
    ) -> Promotion:
        """Plan a discount; its beginning and its end are announced to nobody."""
        skus = frozenset(self.sku(each).id for each in sku_ids)
        promotion = Promotion(
            id=self.token(),
            name=f"Promo {percent:g}%",
            sku_ids=skus,
            percent=percent,
            begins=self._later(begins_in_s),
            ends=self._later(begins_in_s + lasts_s),
            sales_channel=sales_channel,
        )
        for sku_id in skus:
            self._promotions.setdefault(sku_id, []).append(promotion)
        self.record("promotion.scheduled", skus=sorted(skus), percent=percent)
        return promotion

    def _known_product(self, product_id: int) -> Product:
        product = self.catalog.products.get(product_id)
        if product is None:
            raise LookupError(f"no product {product_id}")
        return product

    def _new_product(self, name: str) -> Product:
        model = next(iter(self.catalog.products.values()))
        return replace(
            model,
            id=max(self.catalog.products) + 1,
            name=f"Produto {name}",
            ref_id="",
            active=True,
            sku_ids=[],
            specs=[],
        )

    def _forget(self, product: Product) -> None:
        for sku_id in product.sku_ids:
            self.catalog.skus[sku_id].context = None
