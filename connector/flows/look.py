"""One SKU while it is being looked at: what was claimed, what is known, what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.domain.entries import Entry
from connector.domain.listing import Intent, Listing
from connector.domain.listing_planner import Plan
from connector.domain.pending import Claim
from connector.domain.retry import Setback
from connector.flows.documents import Saved
from connector.ports import Document

_AT_ONCE = 8
"""Looks worked on without a break: a millisecond or two."""


@dataclass
class Look:
    """A look at one listing. ``listing`` is replaced as more becomes known."""

    claim: Claim
    saved: Saved[Listing]
    listing: Listing
    plan: Plan | None = None
    held: int = 0
    """Units kept for orders, as the plan knew it."""
    setback: Setback | None = None
    """Set when something failed; the look is then settled without further steps."""
    waiting: bool = False
    """In an unsettled lot: nothing may be sent."""
    wait_until: datetime | None = None
    """There is no point in asking about the lot again before."""
    again_s: float | None = None
    """One stage is over: looked at again after so many seconds, which is no failure."""
    doubt: Intent | None = None
    """The intent, of an earlier look, that this look's own took the place of."""
    entries: list[Entry] = field(default_factory=list)

    @property
    def sku(self) -> str:
        """The SKU being looked at."""
        return self.listing.sku

    @property
    def open(self) -> bool:
        """Whether the look still goes on."""
        return self.setback is None and not self.waiting and self.again_s is None

    def update(self, **fields: Any) -> None:
        """Know something new about the listing."""
        self.listing = self.listing.model_copy(update=fields)

    def saved_as(self, document: Document) -> None:
        """The listing was saved meanwhile: later saves build on that version."""
        self.saved = Saved(self.listing, document.version + 1)


async def unhurried(looks: Sequence[Look]) -> AsyncIterator[Look]:
    """One look after another, with breaks: whoever waits to be answered or to send the next call
    must not wait for a whole batch.
    """
    for at, look in enumerate(looks, 1):
        yield look
        if not at % _AT_ONCE:
            await asyncio.sleep(0)
