"""A simulated Mercado Livre: the behaviours of the README over real HTTP, with a control API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from adapters.mercadolivre.market.base import problem
from adapters.mercadolivre.market.stall import Stall
from connector.sdk import Request, Response, json_response
from connector.sdk.testing.market import NotPossible, Sale
from connector.sdk.testing.simulator import route

__all__ = ["MercadoLivreSimulator"]


class MercadoLivreSimulator(Stall):
    """The marketplace with its control API; see the README for both."""

    @route("GET", "/_sim/listings")
    async def sim_listings(self, request: Request) -> Response:
        """All listings by id."""
        del request
        return json_response({ident: _plain(asdict(item)) for ident, item in self.items.items()})

    @route("GET", "/_sim/orders")
    async def sim_orders(self, request: Request) -> Response:
        """All sales, with their orders and whatever the seller handed in."""
        del request
        return json_response({key: _plain(asdict(sale)) for key, sale in self.sales.items()})

    @route("GET", "/_sim/settings")
    async def sim_settings(self, request: Request) -> Response:
        """The switches as they stand, without secrets."""
        del request
        return json_response(_plain(asdict(self.settings)) | {"client_secret": "..."})

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
        return await self.sim_settings(request)

    @route("POST", "/_sim/sell")
    async def sim_sell(self, request: Request) -> Response:
        """Sell ``{"lines": [["sku", 1]], ...}`` as ``Sale`` has it; 409 where it cannot be."""
        options = dict(request.json() or {})
        try:
            lines = tuple((str(sku), int(count)) for sku, count in options.pop("lines", []))
            sold = self.sell(Sale(lines=lines, **options))
        except (TypeError, ValueError) as error:
            return problem(400, "unreadable", str(error))
        if sold is None:
            return problem(409, "not_sold", "not for sale in these numbers")
        return json_response({"key": sold.key}, 201)

    @route("POST", "/_sim/sales/{key}/{act}")
    async def sim_act(self, request: Request, key: str, act: str) -> Response:
        """Do what a buyer or carrier does; the body carries the act's keyword arguments."""
        acts: dict[str, Callable[..., object]] = {
            "pay": self.pay,
            "cancel": self.cancel_by_buyer,
            "claim": self.open_claim,
            "collect": self.collect_parcel,
            "deliver": self.deliver_parcel,
        }
        if key not in self.sales or act not in acts:
            return problem(404, "not_found", f"There is no sale {key}, or nothing like {act}")
        try:
            acts[act](key, **(request.json() or {}))
        except NotPossible as error:
            return problem(409, "not_possible", str(error))
        except TypeError as error:
            return problem(400, "unreadable", str(error))
        return json_response(_plain(asdict(self.sales[key])))


def _plain(value: Any) -> Any:
    """Dates and sets as JSON has them, all the way down."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(one) for one in value]
    return value
