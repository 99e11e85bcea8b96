"""Every way a call can fail, turned into one setback: what the ledger does next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.domain.http import Held, HttpFailure, NotSent
from connector.domain.pending import Claim
from connector.domain.retry import Setback
from connector.flows.tokens import NoGrant
from connector.sdk import (
    AdapterError,
    AuthExpired,
    Misconfigured,
    Rejected,
    RetryLater,
    Unsupported,
)
from connector.vtex.errors import Denied, Missing, Throttled, Unwell, VtexError

PEER_ERRORS = (VtexError, AdapterError, HttpFailure)
"""What calling a peer may raise; anything else is a mistake of ours."""


class Stuck(Exception):
    """The flow itself found that somebody must help; ``reasons`` say with what.

    It is tried again at ``until``, daily where that is None.
    """

    def __init__(self, *reasons: str, until: datetime | None = None) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        self.until = until


class Again(Exception):
    """It cannot be done now; the same again by the ladder, not before ``after_s``."""

    def __init__(self, *reasons: str, after_s: float = 0) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons
        self.after_s = after_s


class BadKeys(Exception):
    """Some keys of a turn made us fail, each in its own way; the others are settled."""

    def __init__(self, failed: Sequence[tuple[Claim, Exception]]) -> None:
        super().__init__(f"{len(failed)} keys")
        self.failed = failed


def setback(error: Exception) -> Setback:
    """Decide what a failure means for the key that met it."""
    if isinstance(error, Stuck):
        return Setback(error.reasons, until=error.until, final=True)
    if isinstance(error, Again):
        return Setback(error.reasons, after_s=error.after_s)
    if isinstance(error, Held):
        return Setback((str(error),), until=error.until, counts=False)
    if isinstance(error, HttpFailure):
        kind = "could not be reached" if isinstance(error, NotSent) else "did not answer"
        return Setback((f"the peer {kind}: {error}",))
    if isinstance(error, VtexError):
        return _vtex(error)
    if isinstance(error, AdapterError):
        return _adapter(error)
    return Setback((f"unexpected {type(error).__name__}",))


def _vtex(error: VtexError) -> Setback:
    if isinstance(error, Throttled):
        return Setback(("VTEX asks us to slow down",), after_s=error.after_s)
    if isinstance(error, Denied):
        text = "VTEX does not accept the app key, or it lacks a permission: run connection check"
        return Setback((text,))
    if isinstance(error, Unwell | Missing):
        return Setback((str(error),))
    return Setback(error.messages or error.codes or (str(error),), final=True)


def _adapter(error: AdapterError) -> Setback:
    if isinstance(error, Rejected):
        return Setback(error.reasons, final=True)
    if isinstance(error, RetryLater):
        return Setback((error.public,), after_s=error.after_s)
    if isinstance(error, NoGrant):
        # The connection's trouble, not this key's; asking again costs the marketplace nothing.
        return Setback((error.public,), until=error.until, counts=False)
    if isinstance(error, AuthExpired | Misconfigured | Unsupported):
        # Tried again by the ladder: the operator may mend it at any moment.
        return Setback((error.public,))
    return Setback((error.public,))
