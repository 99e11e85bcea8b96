"""What the conformance kit may ask of a simulator besides playing the marketplace.

Every trick is optional: a simulator offers it by having a method of that name. A rule of the kit
that needs one that is missing says so; an adapter whose marketplace cannot do the thing at all
exempts the rule in its ``quality.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from connector.domain.marketorder import Invoice
from connector.domain.offer import Offer


class Tricks(Protocol):
    """All tricks, with what each has to do; nobody needs to have them all."""

    def dress(self, offer: Offer) -> Offer:
        """The kit's sample offer with whatever this marketplace wants besides: attributes, say."""
        ...

    def dress_invoice(self, invoice: Invoice) -> Invoice:
        """The kit's sample invoice as this marketplace takes it: a real fiscal document, say."""
        ...

    def refuse(self, sku: str, reason: str) -> None:
        """Refuse this SKU from now on, naming the reason, whatever is wanted of it."""
        ...

    def end_lots(self, mode: str) -> None:
        """Take creations into lots from now on that end ``late``, ``partly`` or ``never``.

        ``late``: all items settle, well after the first question. ``partly``: some settle early,
        the others later. ``never``: nothing settles, and after a day the lot may be forgotten.
        """
        ...

    def copies(self) -> Mapping[str, int]:
        """How many listings of each of the seller's SKUs are there: more than one is a double."""
        ...

    def odd_status(self, key: str) -> None:
        """Put a status on the order that no documentation knows."""
        ...

    def small_pages(self, size: int) -> None:
        """Answer lists in pages of this size."""
        ...

    def takes_parts(self) -> bool:
        """Whether an order takes several invoices; it does where the simulator does not say."""
        ...

    def wants_documents(self) -> bool:
        """Whether invoices need their fiscal document; they do not where nothing is said."""
        ...

    def app_settings(self, base_url: str) -> dict[str, Any]:
        """The application's settings with which the simulator is reached at ``base_url``."""
        ...

    def consent(self, url: str) -> str:
        """The merchant opens an authorization URL and agrees; returns the code."""
        ...

    def expire_tokens(self) -> None:
        """Let every access token be over now."""
        ...

    def grant_lost(self) -> bool:
        """Whether the merchant has to agree again: a refresh token works once, and was wasted."""
        ...

    def refreshes(self) -> int:
        """How many times a token was refreshed so far."""
        ...


def offers(simulator: object, trick: str) -> bool:
    """Whether the simulator has this trick."""
    return callable(getattr(simulator, trick, None))


def purpose(trick: str) -> str:
    """What a trick has to do, in one line."""
    words = (getattr(Tricks, trick).__doc__ or "").strip().partition("\n")[0]
    return f"{words[:1].lower()}{words[1:]}".rstrip(".")
