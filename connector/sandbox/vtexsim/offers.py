"""One line of a fulfillment simulation: price, stock and ways of delivery as readers see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connector.sandbox.vtexsim.core import VtexCore, line_total

if TYPE_CHECKING:
    from connector.sandbox.vtexsim.settings import SlaSpec
    from connector.sandbox.vtexsim.state import Promotion, Sku

NOT_A_STORE = {
    "isPickupStore": False,
    "friendlyName": None,
    "address": None,
    "additionalInfo": None,
    "dockId": None,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cart is to be delivered, as the caller told it."""

    postal_code: str | None
    country: str | None
    geo: list[Any]

    @property
    def known(self) -> bool:
        """Whether ways of delivery can be told."""
        return bool(self.postal_code) or len(self.geo) == 2


@dataclass(frozen=True, slots=True)
class Offer:
    """What the store answers about one SKU."""

    sku: Sku
    request_index: int
    requested: int
    quantity: int
    stock: int
    price: int
    list_price: int
    discount: int
    promotion: Promotion | None

    @property
    def total(self) -> int:
        """Cents for the whole line after promotions, rounded once."""
        return line_total(self.price - self.discount, self.sku.multiplier, self.requested)

    @property
    def price_tags(self) -> list[dict[str, Any]]:
        """The promotion as VTEX tags it: negative cents for the whole line (protocol 5.3)."""
        if self.promotion is None or not self.discount:
            return []
        value = self.total - line_total(self.price, self.sku.multiplier, self.requested)
        return [
            {
                "name": f"DISCOUNT@MARKETPLACE-{self.promotion.id}#{self.promotion.id[:8]}",
                "value": value,
                "rawValue": value / 100,
                "isPercentual": False,
                "identifier": self.promotion.id,
            }
        ]

    @property
    def selling_prices(self) -> list[dict[str, int]]:
        """The line total spread over its units without losing a cent."""
        low, extra = divmod(self.total, self.requested)
        parts = [
            {"value": low + 1, "quantity": extra},
            {"value": low, "quantity": self.requested - extra},
        ]
        return [part for part in parts if part["quantity"]]


class OfferRoom(VtexCore):
    """Prices lines and offers deliveries; what it tells may lag behind the truth."""

    def offer(self, sku: Sku, channel: int, quantity: int, index: int) -> Offer | None:
        """What readers are told about a SKU; None where it cannot be sold at all."""
        now = self.clock.now()
        policy = self.catalog.policies.get(channel)
        price = sku.prices(channel).seen(now)
        if (
            channel not in sku.policies
            or not self.catalog.is_active(sku)
            or policy is None
            or not policy.active
            or price is None
            or price.price <= 0
        ):
            return None
        stock = self.stock_of(sku, now=now)
        promotion, percent = self.discount(sku, channel, now)
        return Offer(
            sku=sku,
            request_index=index,
            requested=quantity,
            quantity=min(quantity, stock),
            stock=stock,
            price=price.price,
            list_price=price.list_price,
            discount=round(price.price * percent / 100) if percent else 0,
            promotion=promotion,
        )

    def reachable(self, place: Place) -> bool:
        """Whether the store delivers there."""
        code = (place.postal_code or "").strip()
        if code.startswith(self.settings.undeliverable_prefixes):
            return False
        return place.country in {None, self.settings.country}

    def sla_price(self, spec: SlaSpec, sku: Sku, quantity: int) -> int:
        """Freight of one order line in cents."""
        return spec.base + int(spec.per_kg * sku.weight_g * quantity) // 1000

    def slas(self, sku: Sku, quantity: int, place: Place) -> list[SlaSpec]:
        """The ways of delivery that are open to a line."""
        if not place.known or quantity <= 0 or not self.reachable(place):
            return []
        weight = sku.weight_g * quantity
        return [spec for spec in self.settings.slas if weight <= spec.max_weight_g]

    def sla_json(self, spec: SlaSpec, sku: Sku, quantity: int) -> dict[str, Any]:
        """One way of delivery as the simulation tells it (protocol 5.3)."""
        price = self.sla_price(spec, sku, quantity)
        # Zero days come as "0bd" or as nothing at all.
        unsaid = spec.estimate == "0bd" and self.chance(0.5)
        pickup = spec.pickup_point is not None
        return {
            "id": spec.id,
            "deliveryChannel": "pickup-in-point" if pickup else "delivery",
            "name": spec.id,
            "deliveryIds": [
                {
                    "courierId": "c1",
                    "warehouseId": "w1",
                    "dockId": "d1",
                    "courierName": "Transportadora",
                    "quantity": quantity,
                    "kitItemDetails": [],
                }
            ],
            "shippingEstimate": None if unsaid else spec.estimate,
            "shippingEstimateDate": None,
            "lockTTL": "10d",
            "availableDeliveryWindows": [],
            "deliveryWindow": None,
            "price": price,
            "listPrice": price,
            "tax": 0,
            "pickupStoreInfo": self.pickup_info() if pickup else NOT_A_STORE,
            "pickupPointId": spec.pickup_point,
            "pickupDistance": 1.2 if pickup else 0.0,
            "polygonName": None,
            "transitTime": spec.estimate,
        }

    def pickup_info(self) -> dict[str, Any]:
        """The one shop of the store where parcels can be collected."""
        return {
            "isPickupStore": True,
            "friendlyName": "Loja Centro",
            "address": self.pickup_address(),
            "additionalInfo": None,
            "dockId": "d1",
        }

    def pickup_address(self) -> dict[str, Any]:
        """Where that shop is."""
        return {
            "addressType": "pickup",
            "receiverName": None,
            "addressId": "1_P01",
            "postalCode": "01001-000",
            "city": "São Paulo",
            "state": "SP",
            "country": self.settings.country,
            "street": "Praça da Sé",
            "number": "1",
            "neighborhood": "Sé",
            "complement": None,
            "reference": None,
            "geoCoordinates": [-46.63, -23.55],
        }
