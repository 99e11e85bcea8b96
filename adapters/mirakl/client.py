"""One way to call Mirakl: key, shop, errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from adapters.mirakl.settings import MiraklSettings
from adapters.mirakl.wire import objects_in
from connector.sdk import (
    AdapterError,
    AuthExpired,
    Clock,
    Http,
    Rejected,
    Request,
    Response,
    RetryLater,
    expect,
    json_request,
)

_IMPORT_S = 120.0
"""An import of thousands of lines takes its time to be received."""


@dataclass(frozen=True, slots=True)
class Mirakl:
    """The way to one shop on one operator's Mirakl."""

    settings: MiraklSettings
    http: Http
    clock: Clock

    async def get(
        self,
        path: str,
        operation: str,
        *,
        query: Mapping[str, str] | None = None,
        ok: Sequence[int] = (),
        accept: str = "application/json",
    ) -> Response:
        """Read something."""
        headers = {**self._headers(), "accept": accept}
        request = Request("GET", path, self._query(query), headers, operation=operation)
        return expect(await self.http.send(request), ok=ok, read_error=_read_error)

    async def send(self, method: str, path: str, body: Any, operation: str) -> Response:
        """Write something as JSON; ``body`` None sends none."""
        if body is None:
            request = Request(method, path, self._query(), self._headers(), operation=operation)
        else:
            request = json_request(
                method,
                path,
                body,
                query=self._query(),
                headers=self._headers(),
                operation=operation,
                timeout_s=_IMPORT_S if "offers" in body else None,
            )
        return expect(await self.http.send(request), read_error=_read_error)

    async def upload(
        self, path: str, operation: str, form: tuple[Mapping[str, str], bytes]
    ) -> Response:
        """Hand in files."""
        headers, body = form
        request = Request(
            "POST",
            path,
            self._query(),
            {**self._headers(), **headers},
            body,
            operation=operation,
            timeout_s=_IMPORT_S,
        )
        return expect(await self.http.send(request), read_error=_read_error)

    def _query(self, query: Mapping[str, str] | None = None) -> dict[str, str]:
        shop = self.settings.shop_id
        return {**(query or {}), **({} if shop is None else {"shop_id": str(shop)})}

    def _headers(self) -> dict[str, str]:
        key = self.settings.api_key.get_secret_value()
        return {"authorization": key, "accept": "application/json"}


def part(text: str) -> str:
    """One part of a path, percent-encoded."""
    return quote(text, safe="")


def _read_error(response: Response) -> AdapterError | None:
    """What Mirakl says beyond the status; the shape of its errors is not in its specification."""
    if response.status == 401:
        return AuthExpired("Mirakl does not accept the API key: make a new one in the back office")
    if response.status == 403:
        return AuthExpired("the API key's user lacks the role for this on Mirakl")
    if response.status in (400, 404, 409, 422):
        words = error_words(response)
        if "ORDER_INVALID_STATE" in words:
            return RetryLater(f"the order is not in a state that allows this: {words}")
        return Rejected([f"Mirakl refused: {words or f'HTTP {response.status}'}"])
    return None


def error_words(response: Response) -> str:
    """The words of an error answer, whatever shape it has."""
    payload = response.json()
    if not isinstance(payload, dict):
        return response.text[:300].strip()
    told = [payload, *objects_in(payload.get("errors"))]
    words = (f"{row.get('code') or ''} {row.get('message') or ''}".strip() for row in told)
    return "; ".join(dict.fromkeys(word for word in words if word))
