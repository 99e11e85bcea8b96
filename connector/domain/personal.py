"""Keep what tells who bought out of everything that people and logs get to see."""

from __future__ import annotations

import re

from connector.domain.marketorder import MarketOrder

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_SHORT = 4
"""Shorter values are part of too many words to be replaced."""


def without_personal(text: str, market: MarketOrder | None) -> str:
    """The text without the order's own personal values, and without any e-mail address."""
    for value in _personal(market):
        text = text.replace(value, "***")
    return _EMAIL.sub("***", text)


def _personal(market: MarketOrder | None) -> list[str]:
    if market is None:
        return []
    public = {"country", "state", "city", "document_type", "pickup_point_id"}
    values = {
        value
        for part in (market.buyer, market.address)
        for name, value in part
        if name not in public and isinstance(value, str) and len(value) >= _SHORT
    }
    return sorted(values, key=len, reverse=True)  # a longer one may contain a shorter one
