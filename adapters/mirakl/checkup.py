"""Whether the account works, and whether the operator has the codes that the merchant chose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.mirakl.client import Mirakl
from adapters.mirakl.settings import ShippingFlow
from adapters.mirakl.shipping import feature
from adapters.mirakl.wire import object_of, rows_of
from connector.sdk import Held, Misconfigured, RateLimited, Rejected, Unsupported


async def check(mirakl: Mirakl) -> str:
    """Prove that the key works; returns the shop's name.

    What may be asked once a day only (account, conditions, document types, carriers) is left out
    when it was asked lately: the list of offers proves the key as well.
    """
    await mirakl.get("/api/offers", "OF21.offers", query={"max": "1", "offset": "0"})
    account = await _daily(mirakl, "/api/account", "A01.account")
    problems = [*await _codes(mirakl), *await _platform(mirakl)]
    if problems:
        raise Misconfigured("; ".join(problems))
    return str(account.get("shop_name") or account.get("shop_id") or "shop")


async def _codes(mirakl: Mirakl) -> list[str]:
    """Codes that are set, and that the operator does not have."""
    settings = mirakl.settings
    problems = []
    states = await _daily(mirakl, "/api/offers/states", "OF61.conditions")
    problems += _missing("offer condition", [settings.state_code], states.get("offer_states"))
    if settings.document_type:
        types = await _daily(mirakl, "/api/documents", "DO01.document-types")
        problems += _missing("document type", [settings.document_type], types.get("documents"))
    if settings.carriers:
        carriers = await _daily(mirakl, "/api/shipping/carriers", "SH21.carriers")
        codes = sorted(set(settings.carriers.values()))
        problems += _missing("carrier", codes, carriers.get("carriers"))
    if settings.cancel_reason or settings.refund_reason:
        problems += await _reasons(mirakl)
    return problems


async def _reasons(mirakl: Mirakl) -> list[str]:
    """RE01 lists all reasons with their types; RE02, which is going to be removed, one type's."""
    settings = mirakl.settings
    rows = rows_of(await mirakl.get("/api/reasons", "RE01.reasons"), "reasons")

    def of(kind: str) -> list[dict[str, Any]]:
        return [row for row in rows if str(row.get("type") or kind) == kind]

    problems = []
    if settings.cancel_reason:
        problems += _missing("cancellation reason", [settings.cancel_reason], of("CANCELATION"))
    if settings.refund_reason:
        problems += _missing("refund reason", [settings.refund_reason], of("REFUND"))
    return problems


async def _platform(mirakl: Mirakl) -> list[str]:
    """Choices that the platform does not allow."""
    settings = mirakl.settings
    if not settings.show_list_price and settings.shipping_flow is not ShippingFlow.SHIPMENTS:
        return []
    try:
        response = await mirakl.get("/api/platform/configuration", "PC01.platform")
    except (Rejected, Unsupported):
        return []  # an older platform: what it allows shows when it is used
    platform, problems = object_of(response), []
    if settings.show_list_price and feature(platform, "pricing", "discount_period_required"):
        problems.append("the operator wants discounts to have dates: do not show the list price")
    if settings.shipping_flow is ShippingFlow.SHIPMENTS and not feature(
        platform, "shipment", "multi_shipment"
    ):
        problems.append("the platform takes one parcel per order: set shipping_flow to order")
    return problems


async def _daily(mirakl: Mirakl, path: str, operation: str) -> Mapping[str, Any]:
    try:
        return object_of(await mirakl.get(path, operation))
    except (Held, RateLimited):
        return {}


def _missing(what: str, wanted: Sequence[str], rows: object) -> list[str]:
    """Which of these codes are not among the operator's; nothing where its list is not known."""
    if not isinstance(rows, list):
        return []
    known = {str(row.get("code")) for row in rows if isinstance(row, dict)}
    listed = ", ".join(sorted(known)) or "none"
    return [f"the operator has no {what} {code} (it has {listed})" for code in wanted
            if code not in known]  # fmt: skip
