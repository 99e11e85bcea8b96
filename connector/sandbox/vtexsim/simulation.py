"""Fulfillment simulation on both layers: price, stock and delivery of a cart (protocol 5)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from connector.domain.http import Response, json_response
from connector.sandbox.vtexsim.core import line_total, query
from connector.sandbox.vtexsim.errors import error_text
from connector.sandbox.vtexsim.offers import Offer, OfferRoom, Place
from connector.sdk.testing.simulator import route

if TYPE_CHECKING:
    from connector.domain.http import Request

FORBIDDEN_CHARACTERS = frozenset('<>?+";%')
_NO_PAYMENT: dict[str, Any] = {
    "installmentOptions": [],
    "paymentSystems": [],
    "payments": [],
    "giftCards": [],
    "giftCardMessages": [],
    "availableAccounts": [],
    "availableTokens": [],
    "availableAssociations": {},
}


@dataclass(slots=True)
class _Cart:
    place: Place
    offers: list[Offer] = field(default_factory=list)
    at_of: dict[int, int] = field(default_factory=dict)
    dead: list[tuple[int, str, int]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)


class SimulationRoom(OfferRoom):
    """Answers ``orderForms/simulation`` on the fulfilment (pvt) and the checkout (pub) layer."""

    @route("POST", "/api/fulfillment/pvt/orderForms/simulation")
    async def simulate_pvt(self, request: Request) -> Response:
        """The seller layer: carries ``stockBalance``, knows no ``availability`` (protocol 5.4)."""
        answer = self._simulate(request, "FMT0104")
        if isinstance(answer, Response):
            return answer
        place, until = answer.place, self._valid_until()
        return json_response(
            {
                "items": [self._pvt_item(offer, until) for offer in answer.offers],
                "logisticsInfo": self._logistics(answer, with_stock=True),
                "postalCode": place.postal_code,
                "geoCoordinates": place.geo,
                "country": place.country,
                "pickupPoints": self._pickup_points(answer),
                "messages": answer.messages,
            }
        )

    @route("POST", "/api/checkout/pub/orderForms/simulation")
    async def simulate_pub(self, request: Request) -> Response:
        """The checkout layer: selling prices, totals and an availability that lies."""
        cart = self._simulate(request, "CHK0062")
        if isinstance(cart, Response):
            return cart
        until = self._valid_until()
        items = [self._pub_item(offer, cart.place, until) for offer in cart.offers]
        items += self._ghosts(cart)
        return json_response(
            {
                "items": items,
                "ratesAndBenefitsData": {"rateAndBenefitsIdentifiers": [], "teaser": []},
                "paymentData": _NO_PAYMENT,
                "selectableGifts": [],
                "marketingData": None,
                "postalCode": cart.place.postal_code,
                "country": cart.place.country,
                "geoCoordinates": cart.place.geo,
                "logisticsInfo": self._logistics(cart, with_stock=self.settings.pub_stock_balance),
                "messages": cart.messages,
                "purchaseConditions": {"itemPurchaseConditions": []},
                "pickupPoints": self._pickup_points(cart),
                "subscriptionData": None,
                "totals": self._totals(cart),
                "itemMetadata": None,
            }
        )

    # --- reading the cart ----------------------------------------------------------------

    def _simulate(self, request: Request, too_many: str) -> _Cart | Response:
        body = request.json()
        if not isinstance(body, dict) or not isinstance(body.get("items"), list):
            return self.refuse("ORD005")
        channel = self._channel(request)
        if isinstance(channel, Response):
            return channel
        items = [item if isinstance(item, dict) else {} for item in body["items"]]
        postal_code = body.get("postalCode")
        fault = self._item_fault(items, too_many) or self._postal_fault(postal_code)
        if fault is not None:
            return fault
        cart = _Cart(Place(postal_code, body.get("country"), body.get("geoCoordinates") or []))
        for index, item in enumerate(items):
            self._add_line(cart, channel, index, item)
        return cart

    def _channel(self, request: Request) -> int | Response:
        affiliate = self.affiliates.get(query(request, "affiliateId").upper())
        default = affiliate.sales_channel if affiliate else self.settings.sales_channel
        text = query(request, "sc", str(default))
        if self.settings.strict_affiliate and affiliate is None:
            return self.refuse("CHK0120", query(request, "affiliateId"))
        if not text.isdigit() or int(text) not in self.catalog.policies:
            return self.refuse("CHK0161", text)
        return int(text)

    def _item_fault(self, items: list[dict[str, Any]], too_many: str) -> Response | None:
        settings = self.settings
        if not items:
            return self.refuse("ORD005")
        if len(items) > settings.max_simulation_items:
            return self.refuse(too_many, settings.max_simulation_items)
        for item in items:
            if not item.get("id"):
                return self.refuse("CHK0022")
            quantity = item.get("quantity")
            if not isinstance(quantity, int) or quantity < 1:
                return self.refuse("CHK0023")
            sku = self.catalog.sku(item["id"])
            most = settings.max_kit_quantity if sku and sku.kit else settings.max_quantity
            if quantity > most:
                return self.refuse("canceled", status=500)
        return None

    def _postal_fault(self, postal_code: object) -> Response | None:
        if postal_code and FORBIDDEN_CHARACTERS & set(str(postal_code)):
            return self.refuse("CHK0040", "postalCode")
        return None

    def _add_line(self, cart: _Cart, channel: int, index: int, item: dict[str, Any]) -> None:
        sku = self.catalog.sku(item["id"])
        mine = str(item.get("seller", "1")) == "1"
        offer = self.offer(sku, channel, item["quantity"], index) if sku and mine else None
        if offer is None:
            cart.dead.append((index, str(item["id"]), item["quantity"]))
            if self.chance(0.7):
                cart.messages.append(self._message("ORD027", "error", str(item["id"]), index))
            return
        if self.settings.merge_lines and (at := cart.at_of.get(offer.sku.id)) is not None:
            earlier = cart.offers[at]
            wanted = earlier.requested + offer.requested
            cart.offers[at] = replace(
                earlier, requested=wanted, quantity=min(wanted, earlier.stock)
            )
            return
        if 0 < offer.quantity < offer.requested:
            cart.messages.append(
                self._message("itemQuantityNotAvailable", "warning", str(item["id"]), index)
            )
        cart.at_of[offer.sku.id] = len(cart.offers)
        cart.offers.append(offer)

    def _message(self, code: str, status: str, sku_id: str, index: int) -> dict[str, Any]:
        text = error_text(code, self.settings.locale, sku_id)
        return {
            "code": code,
            "text": text,
            "status": status,
            "fields": {"id": sku_id, "itemIndex": str(index)},
        }

    # --- writing the answer ----------------------------------------------------------------

    def _valid_until(self) -> str | None:
        return f"{self._later(30 * 86_400):%Y-%m-%dT%H:%M:%SZ}" if self.chance(0.5) else None

    def _pvt_item(self, offer: Offer, valid_until: str | None) -> dict[str, Any]:
        applied = self.settings.pvt_price_after_promotions
        return {
            "id": str(offer.sku.id),
            "requestIndex": offer.request_index,
            "quantity": offer.quantity,
            "seller": "1",
            "merchantName": None,
            "priceValidUntil": valid_until,
            "price": offer.price - (offer.discount if applied else 0),
            "listPrice": offer.list_price,
            "offerings": [],
            "priceTags": [] if applied else offer.price_tags,
            "measurementUnit": offer.sku.unit,
            "unitMultiplier": offer.sku.multiplier,
            "attachmentOfferings": [],
        }

    def _pub_item(self, offer: Offer, place: Place, valid_until: str | None) -> dict[str, Any]:
        selling = offer.selling_prices
        return {
            "id": str(offer.sku.id),
            "requestIndex": offer.request_index,
            "quantity": offer.quantity,
            "seller": "1",
            "sellerChain": ["1"],
            "tax": 0,
            "priceValidUntil": valid_until,
            "price": offer.price,
            "listPrice": offer.list_price,
            "rewardValue": 0,
            "sellingPrice": offer.total // offer.requested,
            "offerings": [],
            "priceTags": offer.price_tags,
            "measurementUnit": offer.sku.unit,
            "unitMultiplier": offer.sku.multiplier,
            "parentItemIndex": None,
            "parentAssemblyBinding": None,
            "availability": self._availability(offer, place),
            "priceDefinition": {
                "calculatedSellingPrice": offer.total // offer.requested,
                "total": offer.total,
                "sellingPrices": selling,
            },
        }

    def _availability(self, offer: Offer, place: Place) -> str:
        if offer.stock > 0:
            reachable = not place.known or self.reachable(place)
            return "available" if reachable else "cannotBeDelivered"
        if not self.settings.availability_lies:
            return "withoutStock"
        return "available" if place.known else "nullPrice"

    def _ghosts(self, cart: _Cart) -> list[dict[str, Any]]:
        """Lines that cannot be sold: usually absent, sometimes there with a reason."""
        ghosts = []
        for index, sku_id, quantity in cart.dead:
            if self.catalog.sku(sku_id) is not None and self.chance(0.3):
                ghosts.append(
                    {
                        "id": sku_id,
                        "requestIndex": index,
                        "quantity": quantity,
                        "seller": "1",
                        "price": None,
                        "listPrice": None,
                        "sellingPrice": None,
                        "priceTags": [],
                        "unitMultiplier": 1.0,
                        "availability": "withoutPriceFulfillment",
                    }
                )
        return ghosts

    def _logistics(self, cart: _Cart, *, with_stock: bool) -> list[dict[str, Any]]:
        rows = [self._logistics_row(cart, at, with_stock) for at in range(len(cart.offers))]
        if self.settings.unsorted_logistics:
            self.rng.shuffle(rows)
        return rows

    def _logistics_row(self, cart: _Cart, at: int, with_stock: bool) -> dict[str, Any]:
        offer, place = cart.offers[at], cart.place
        slas = [
            self.sla_json(spec, offer.sku, offer.quantity)
            for spec in self.slas(offer.sku, offer.quantity, place)
        ]
        channels = sorted({sla["deliveryChannel"] for sla in slas}) or ["delivery"]
        row: dict[str, Any] = {
            "itemIndex": at,
            "addressId": None,
            "selectedSla": None,
            "selectedDeliveryChannel": None,
            "quantity": offer.quantity,
            "shipsTo": [self.settings.country],
            "slas": slas,
            "deliveryChannels": [{"id": channel} for channel in channels],
        }
        if with_stock:
            row["stockBalance"] = offer.stock
            for channel in row["deliveryChannels"]:
                channel["stockBalance"] = offer.stock
        return row

    def _pickup_points(self, cart: _Cart) -> list[dict[str, Any]]:
        if not cart.place.known or not self.reachable(cart.place) or not cart.offers:
            return []
        return [
            {
                "friendlyName": "Loja Centro",
                "address": self.pickup_address(),
                "additionalInfo": None,
                "id": spec.pickup_point,
                "businessHours": [],
            }
            for spec in self.settings.slas
            if spec.pickup_point
        ]

    def _totals(self, cart: _Cart) -> list[dict[str, Any]]:
        paid = [offer for offer in cart.offers if offer.quantity > 0]
        gross = sum(line_gross(offer) for offer in paid)
        net = sum(offer.total for offer in paid)
        totals = [{"id": "Items", "name": "Total dos Itens", "value": gross}]
        if net != gross:
            totals.append({"id": "Discounts", "name": "Descontos", "value": net - gross})
        return totals


def line_gross(offer: Offer) -> int:
    """Cents of a line before promotions."""
    return line_total(offer.price, offer.sku.multiplier, offer.requested)
