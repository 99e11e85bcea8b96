"""What the stand-in answers, cut from answers of the real simulators, so that shapes are theirs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from connector.domain.http import Request, json_request
from connector.drivers.clock import SystemClock
from connector.sandbox.server import OutboundHttp
from connector.sandbox.vtexsim import VtexSimSettings, VtexSimulator
from connector.sandbox.vtexsim.seed import ean13

FIRST_SKU = 100_001
_SAMPLES = 200


@dataclass(frozen=True)
class Shapes:
    """JSON texts of one ordinary SKU, with ``%(...)s`` where SKUs differ."""

    context: str
    item: str
    logistics: str
    channel: bytes

    def context_of(self, sku: int) -> bytes:
        """The catalog's answer for a SKU."""
        number = sku - FIRST_SKU
        return (self.context % {"sku": sku, "ean": ean13(number), "n": number}).encode()


async def shapes() -> Shapes:
    """Ask the simulators about an ordinary SKU and make templates of their answers."""
    settings = VtexSimSettings(rate_limit_per_s=0, unsorted_logistics=False)
    simulator = VtexSimulator(
        clock=SystemClock(), outbound=OutboundHttp(), seed=1, settings=settings, n_skus=_SAMPLES
    )
    keys = {
        "x-vtex-api-appkey": settings.app_key,
        "x-vtex-api-apptoken": settings.app_token,
    }

    async def get(path: str) -> Any:
        return (await simulator.handle(Request("GET", path, headers=keys))).json()

    for sku in simulator.catalog.skus:
        context = await get(f"/api/catalog_system/pvt/sku/stockkeepingunitbyid/{sku}")
        cart = {"items": [{"id": str(sku), "quantity": 1, "seller": "1"}], "country": "BRA"}
        path = "/api/fulfillment/pvt/orderForms/simulation"
        simulated = (await simulator.handle(json_request("POST", path, cart, headers=keys))).json()
        if _ordinary(context, simulated):
            channel = await get(f"/api/catalog_system/pub/saleschannel/{settings.sales_channel}")
            await simulator.close()
            return _templates(context, simulated, json.dumps(channel).encode())
    raise LookupError("no SKU of the simulator has everything")


def _ordinary(context: dict[str, Any], simulated: dict[str, Any]) -> bool:
    """Nothing is missing: a read takes one call, and the SKU can be sold."""
    return bool(
        context["IsActive"]
        and context["IsProductActive"]
        and context["IsBrandActive"]
        and 2 in context["SalesChannels"]
        and context["Images"]
        and {"Ean", "RefId"} <= set(context["AlternateIds"])
        and context["AlternateIds"]["Ean"].isdecimal()
        and not context["IsKit"]
        and context["UnitMultiplier"] == 1
        and [item["price"] for item in simulated["items"] if item["price"] and item["quantity"]]
        and simulated["logisticsInfo"][0]["stockBalance"]
    )


def _templates(context: dict[str, Any], simulated: dict[str, Any], channel: bytes) -> Shapes:
    context |= {
        "Id": "@sku@",
        "NameComplete": "Tênis Trilha @n@ Azul 40",
        "AlternateIds": {"Ean": "$ean$", "RefId": "R-$n$"},
        "AlternateIdValues": ["$ean$", "R-$n$"],
    }
    item = simulated["items"][0] | {
        "id": "$sku$",
        "requestIndex": "@at@",
        "price": "@price@",
        "listPrice": "@price@",
        "priceTags": [],
        "priceValidUntil": None,
    }
    logistics = simulated["logisticsInfo"][0] | {"itemIndex": "@at@", "stockBalance": "@stock@"}
    for row in logistics["deliveryChannels"]:
        row["stockBalance"] = "@stock@"
    return Shapes(_template(context), _template(item), _template(logistics), channel)


def _template(value: Any) -> str:
    """Compact JSON; ``"@x@"`` becomes a bare number, ``$x$`` text within a string."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("%", "%%")
    for name in ("sku", "at", "price", "stock", "n", "ean"):
        text = text.replace(f'"@{name}@"', f"%({name})s").replace(f"@{name}@", f"%({name})s")
        text = text.replace(f"${name}$", f"%({name})s")
    return text
