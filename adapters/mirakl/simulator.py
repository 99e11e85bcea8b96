"""A simulated Mirakl platform: the parts of its seller API that the adapter uses, and a control
API. See the README for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from adapters.mirakl.market.base import problem
from adapters.mirakl.market.stall import Stall
from adapters.mirakl.market.state import SimOrder
from connector.sdk import Request, Response, json_response
from connector.sdk.testing.market import NotPossible, Sale
from connector.sdk.testing.simulator import route

__all__ = ["MiraklSimulator"]


class MiraklSimulator(Stall):
    """The platform with its control API."""

    @route("GET", "/_sim/truth")
    async def sim_truth(self, request: Request) -> Response:
        """Everything in one answer."""
        del request
        told = {
            "offers": {sku: _plain(asdict(offer)) for sku, offer in self.offers.items()},
            "orders": {key: _order(order) for key, order in self.orders.items()},
            "products": {sku: _plain(asdict(one)) for sku, one in self.products.items()},
            "imports": {
                key: {
                    "state": self.state_of(one),
                    "lines": len(one.rows),
                    "errors": len(one.errors),
                }
                for key, one in self.imports.items()
            },
            "throttles": self.throttles,
        }
        return json_response(told)

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
            return problem(400, f"unknown settings: {sorted(unknown)}")
        try:
            for name, value in wanted.items():
                setattr(self.settings, name, value)
        except ValidationError as error:
            return problem(400, str(error))
        return json_response(asdict(self.settings))

    @route("POST", "/_sim/sell")
    async def sim_sell(self, request: Request) -> Response:
        """Sell ``{"lines": [["sku", 1]], ...}`` with the options of ``Sale``; 409 where it is not
        for sale.
        """
        options = dict(request.json() or {})
        try:
            lines = tuple((str(sku), int(units)) for sku, units in options.pop("lines", []))
            order = self.sell(Sale(lines=lines, **options))
        except (TypeError, ValueError) as error:
            return problem(400, str(error))
        return json_response(_order(order), 201) if order else problem(409, "not for sale")

    @route("POST", "/_sim/orders/{order_id}/{act}")
    async def sim_act(self, request: Request, order_id: str, act: str) -> Response:
        """Do what a buyer or the operator does; the body carries the act's keyword arguments."""
        acts: dict[str, Callable[..., Any]] = {
            "cancel": self.cancel_by_buyer,
            "cancel-units": self.cancel_units,
            "refund-units": self.refund_units,
            "incident": self.open_incident,
            "state": lambda key, state: self.move(self.orders[key], state),
            "pay": lambda key: self.pay(self.orders[key]),
        }
        if order_id not in self.orders or act not in acts:
            return problem(404, f"there is no order {order_id}, or nothing like {act}")
        try:
            acts[act](order_id, **(request.json() or {}))
        except NotPossible as error:
            return problem(409, str(error))
        except TypeError as error:
            return problem(400, str(error))
        return json_response(_order(self.orders[order_id]))


def _plain(value: Any) -> Any:
    """Dates and files as text, all the way down."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _order(order: SimOrder) -> Any:
    row: dict[str, Any] = _plain(asdict(order))
    return row | {"total_minor": order.total_minor}
