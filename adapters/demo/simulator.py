"""A simulated Demo Market: the whole API of the README, driven by a clock and a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from adapters.demo.market.base import problem
from adapters.demo.market.buying import NotPossibleError
from adapters.demo.market.state import NotSold, SimCart, SimListing
from adapters.demo.market.tricks import TrickSide
from connector.sdk import Request, Response, json_response
from connector.sdk.testing.simulator import route

__all__ = ["DemoMarketSimulator"]


class DemoMarketSimulator(TrickSide):
    """The marketplace with its control API; see the README for both."""

    @route("GET", "/_sim/listings")
    async def sim_listings(self, request: Request) -> Response:
        """All listings by SKU, with their history where ``history=1`` asks for it."""
        with_history = request.query.get("history") == "1"
        return json_response(
            {sku: _listing(one, with_history=with_history) for sku, one in self.listings.items()}
        )

    @route("GET", "/_sim/orders")
    async def sim_orders(self, request: Request) -> Response:
        """All carts, with their orders and whatever the seller handed in."""
        del request
        return json_response({key: _cart(cart) for key, cart in self.carts.items()})

    @route("GET", "/_sim/truth")
    async def sim_truth(self, request: Request) -> Response:
        """Everything in one answer."""
        del request
        lots = {lot.lot_id: {"waiting": list(lot.waiting)} for lot in self.lots.values()}
        return json_response(
            {
                "listings": {
                    k: _listing(one, with_history=True) for k, one in self.listings.items()
                },
                "carts": {key: _cart(cart) for key, cart in self.carts.items()},
                "lots": lots,
                "refused_sales": self.refused_sales,
                "webhooks": asdict(self.webhooks),
            }
        )

    @route("GET", "/_sim/settings")
    async def sim_settings(self, request: Request) -> Response:
        """The switches as they stand."""
        del request
        return json_response(asdict(self.settings))

    @route("POST", "/_sim/settings")
    async def sim_set_settings(self, request: Request) -> Response:
        """Set switches by name; unknown names are refused."""
        wanted = request.json() or {}
        unknown = set(wanted) - {field.name for field in fields(self.settings)}
        if unknown:
            return problem(400, "unknown_settings", f"unknown settings: {sorted(unknown)}")
        try:
            for name, value in wanted.items():
                setattr(self.settings, name, value)
        except ValidationError as error:
            return problem(400, "unreadable", str(error))
        return json_response(asdict(self.settings))

    @route("POST", "/_sim/sell")
    async def sim_sell(self, request: Request) -> Response:
        """Sell ``{"lines": [["sku", 1]], ...options}``; 409 with reasons where it cannot be."""
        options = dict(request.json() or {})
        try:
            lines = [(str(sku), int(quantity)) for sku, quantity in options.pop("lines", [])]
            sold = self.sell(lines, **options)
        except (TypeError, ValueError, ValidationError) as error:
            return problem(400, "unreadable", str(error))
        if isinstance(sold, NotSold):
            return json_response({"code": "not_sold", "reasons": sold.reasons}, 409)
        return json_response(_cart(sold), 201)

    @route("POST", "/_sim/carts/{cart_id}/{act}")
    async def sim_act(self, request: Request, cart_id: str, act: str) -> Response:
        """Do what a buyer or carrier does; the body carries the act's keyword arguments."""
        acts: dict[str, Callable[..., SimCart]] = {
            "pay": self.pay,
            "status": self.set_status,
            "cancel": self.cancel_by_buyer,
            "partially-cancel": self.partially_cancel,
            "ship": self.ship_fob,
            "deliver": self.deliver_fob,
        }
        if cart_id not in self.carts or act not in acts:
            return problem(404, "not_found", f"There is no cart {cart_id}, or nothing like {act}")
        try:
            return json_response(_cart(acts[act](cart_id, **(request.json() or {}))))
        except NotPossibleError as error:
            return problem(409, "not_possible", str(error))
        except TypeError as error:
            return problem(400, "unreadable", str(error))


def _plain(value: Any) -> Any:
    """Dates as text, all the way down."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _listing(listing: SimListing, *, with_history: bool) -> Any:
    """A listing as plain JSON."""
    row: dict[str, Any] = _plain(asdict(listing))
    if not with_history:
        del row["history"]
    return row


def _cart(cart: SimCart) -> Any:
    """A cart as plain JSON, with what can be derived from it."""
    row: dict[str, Any] = _plain(asdict(cart))
    for order, told in zip(cart.orders, row["orders"], strict=True):
        told["total_minor"] = order.total_minor
    return row | {"status": cart.status, "total_minor": cart.total_minor}
