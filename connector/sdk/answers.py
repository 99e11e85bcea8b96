"""From an answer of the marketplace to the error that fits it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connector.domain.http import Response
from connector.sdk.errors import (
    AdapterError,
    AuthExpired,
    RateLimited,
    Rejected,
    RetryLater,
    Unsupported,
)

ReadError = Callable[[Response], AdapterError | None]
"""Reads the marketplace's own error codes out of a body; None leaves it to the status."""


def expect(
    response: Response, *, ok: Sequence[int] = (), read_error: ReadError | None = None
) -> Response:
    """Pass a good answer through and turn any other into the error that fits its status.

    ``ok`` lists further statuses that the caller wants to read itself. ``read_error`` is asked
    first: a body often says more than its status.
    """
    status = response.status
    if response.ok or status in ok:
        return response
    if read_error is not None and (error := read_error(response)) is not None:
        raise error
    after = retry_after_s(response)
    if status == 429:
        raise RateLimited("the marketplace asks us to slow down", after_s=after)
    if status in (401, 403):
        raise AuthExpired("the marketplace does not accept the credentials")
    if status in (404, 405, 501):
        raise Unsupported(f"the marketplace has no such thing (HTTP {status})")
    if status in (408, 425) or status >= 500:
        raise RetryLater(f"the marketplace is unwell (HTTP {status})", after_s=after)
    raise Rejected([f"the marketplace refused (HTTP {status}): {response.text[:300]}"])


def retry_after_s(response: Response) -> float:
    """The Retry-After header in seconds; 0 where it is missing or not a number."""
    try:
        return max(0.0, float(response.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0
