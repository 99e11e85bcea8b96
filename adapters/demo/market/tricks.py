"""Demo Market as the conformance kit uses it: see ``connector.sdk.testing.tricks``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from adapters.demo.market.listings import Row, fate
from adapters.demo.market.stall import Stall
from adapters.demo.market.state import LotMode


class TrickSide(Stall):
    """What goes wrong on demand, one thing at a time."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self._refused: dict[str, str] = {}

    def refuse(self, sku: str, reason: str) -> None:
        """Let moderation refuse this SKU."""
        self._refused[sku] = reason

    def _unlucky(self, sku: str) -> Row | None:
        if sku in self._refused:
            return fate(sku, "refused", "moderation", self._refused[sku])
        return super()._unlucky(sku)

    def end_lots(self, mode: str) -> None:
        """Take all creations into lots that end this way."""
        self.settings.lot_share = 1.0
        self.settings.lot_modes = {cast("LotMode", mode): 1.0}

    def copies(self) -> Mapping[str, int]:
        """Demo Market keeps one listing per SKU."""
        return dict.fromkeys(self.listings, 1)

    def odd_status(self, key: str) -> None:
        """Put a word on the cart that the documentation does not know."""
        self.set_status(key, "UNDER REVIEW")

    def small_pages(self, size: int) -> None:
        """Answer lists in pages of this size."""
        self.settings.page_size = size

    def app_settings(self, base_url: str) -> dict[str, Any]:
        """The application's settings."""
        del base_url
        return {"webhook_secret": self.settings.app_webhook_secret}
