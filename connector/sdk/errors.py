"""The errors an adapter raises; each names the one thing the hub does next.

AdapterError
├── RetryLater      the peer is unwell: try again, not before ``after_s``
│   └── RateLimited the peer said stop: nobody calls this scope before ``after_s``
├── Rejected        the peer understood and refused: park with all reasons
├── AuthExpired     credentials no longer work: stop, ask the operator
├── Misconfigured   settings cannot work: stop, ask the operator
├── AlreadyDone     the peer has it already: carry on as if we had just done it
└── Unsupported     the marketplace has no such thing: never ask again
"""

from __future__ import annotations

from collections.abc import Sequence


class AdapterError(Exception):
    """Something an adapter could not do. ``public`` may be shown to a merchant."""

    def __init__(self, public: str, *, detail: str = "") -> None:
        super().__init__(public)
        self.public = public
        self.detail = detail


class RetryLater(AdapterError):
    """The marketplace is unwell; the hub tries again by its own schedule."""

    def __init__(self, public: str, *, after_s: float = 0, detail: str = "") -> None:
        super().__init__(public, detail=detail)
        self.after_s = after_s


class RateLimited(RetryLater):
    """The marketplace said stop. ``after_s`` is its Retry-After, 0 where it gave none."""


class Rejected(AdapterError):
    """The marketplace refused; sending the same again is pointless."""

    def __init__(self, reasons: Sequence[str], *, detail: str = "") -> None:
        super().__init__("; ".join(reasons), detail=detail)
        self.reasons = tuple(reasons)


class AuthExpired(AdapterError):
    """The credentials are no longer accepted."""


class Misconfigured(AdapterError):
    """A setting of the connection cannot work."""


class AlreadyDone(AdapterError):
    """The marketplace already has what was sent."""


class Unsupported(AdapterError):
    """The marketplace offers no such operation."""


class BadWebhook(AdapterError):
    """A webhook that is not the marketplace's: wrong signature or unreadable."""
