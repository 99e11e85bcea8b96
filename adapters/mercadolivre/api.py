"""Calls to Mercado Livre, the shape of its errors, and the scalars of its JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from html import unescape
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from connector.sdk import (
    AdapterError,
    AuthExpired,
    Http,
    Misconfigured,
    RateLimited,
    Rejected,
    Request,
    Response,
    RetryLater,
    expect,
    json_request,
    retry_after_s,
)

LOCK_WAIT_S = 5.0
"""After "item optimistic locking error": the official page says to wait some seconds."""
_TOKEN_CODES = {"access_token_not_granted", "invalid_token", "invalid_grant"}
_APP_CODES = {"invalid_client", "unauthorized_client", "unauthorized_application"}
_OF_THE_ACCOUNT = {"account.read", "listings.search", "orders.poll", "orders.missed"}
"""Operations on what is the account's own: a 403 there is about all of it."""
_JSON = {"accept": "application/json"}


# --- scalars --------------------------------------------------------------------------------------


def _amount(value: object) -> Decimal:
    """An amount in major units; missing is zero, anything unreadable is an error."""
    if value is None or value == "":
        return Decimal(0)
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError("is no amount") from None
    if isinstance(value, bool) or not amount.is_finite():
        raise ValueError("is no amount")
    return amount


def _moment(value: object) -> datetime | None:
    """A moment; Mercado Livre writes ISO 8601 with and without a colon in the offset."""
    if not value:
        return None
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(value: object) -> str:
    """Text; ids come as numbers and as strings."""
    return "" if value is None or isinstance(value, bool) else str(value).strip()


def no_rows(value: object) -> object:
    """For fields that are a list, or null."""
    return [] if value is None else value


Amount = Annotated[Decimal, BeforeValidator(_amount)]
MaybeMoment = Annotated[datetime | None, BeforeValidator(_moment)]
Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(no_rows)]


class Wire(BaseModel):
    """Something Mercado Livre says; what it says beyond that is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


W = TypeVar("W", bound=Wire)


def blank(value: object) -> object:
    """For fields that are an object, or null."""
    return {} if value is None else value


def path(*parts: object) -> str:
    """A path of these parts, each percent-encoded."""
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


# --- answers --------------------------------------------------------------------------------------


def object_of(response: Response) -> dict[str, Any]:
    """The JSON object of a good answer; anything else (a proxy's page, say) is worth a retry."""
    payload = response.json()
    if not isinstance(payload, dict):
        raise RetryLater("Mercado Livre's answer cannot be read", detail=response.text[:300])
    return payload


def read(model: type[W], payload: object) -> W:
    """A document as a model; one that cannot be read is worth another try."""
    try:
        return model.model_validate(payload)
    except ValidationError:
        raise RetryLater("Mercado Livre's answer cannot be read") from None


def list_of(response: Response) -> list[Any]:
    """The JSON list of a good answer."""
    payload = response.json()
    if not isinstance(payload, list):
        raise RetryLater("Mercado Livre's answer cannot be read", detail=response.text[:300])
    return payload


def causes(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The causes of an error that are errors themselves; warnings come along with good answers."""
    listed = payload.get("cause")
    rows = listed if isinstance(listed, list) else []
    return [row for row in rows if isinstance(row, dict) and row.get("type") != "warning"]


def reasons(response: Response) -> list[str]:
    """Why something was refused, all of it, in Mercado Livre's own words and codes."""
    payload = response.json()
    if not isinstance(payload, dict):
        return [f"Mercado Livre refused (HTTP {response.status})"]
    told = list(dict.fromkeys(_cause_text(cause) for cause in causes(payload)))
    if told := [text for text in told if text]:
        return told
    words = [_text(payload.get("message")), _text(payload.get("error"))]
    text = ": ".join(dict.fromkeys(filter(None, reversed(words))))
    return [text or f"Mercado Livre refused (HTTP {response.status})"]


def _cause_text(cause: Mapping[str, Any]) -> str:
    code = _text(cause.get("code")) or _text(cause.get("cause_id"))
    return ": ".join(filter(None, (code, _text(cause.get("message")))))


def read_error(response: Response) -> AdapterError | None:
    """The error that fits the body (page "Consideraciones de diseño" and those cited below)."""
    payload = response.json()
    body = payload if isinstance(payload, dict) else {}
    code = _text(body.get("error"))
    if response.status == 429 or code == "local_rate_limited":
        # Page "Rate limit error 429": there is no Retry-After; back off, and spread.
        return RateLimited("Mercado Livre asks us to slow down", after_s=retry_after_s(response))
    if response.status == 409:
        text = "; ".join(reasons(response))
        if "locking" in text.lower() or "version mismatch" in text.lower():
            return RetryLater("somebody else is changing the listing", after_s=LOCK_WAIT_S)
        return Rejected([text])
    if response.status in (400, 422):
        return Rejected(reasons(response))
    return None


def barred(response: Response, operation: str) -> AdapterError | None:
    """Why a 403 concerns the token or the application, where its body says so.

    Pages "Error 403" (Invalid scopes), "Cargar factura" (access_token_not_granted) and
    "Autenticación y autorización" (codes about the application).
    """
    payload = response.json()
    code = _text(payload.get("error")).lower() if isinstance(payload, dict) else ""
    if code == "invalid scopes":
        why = f"the application lacks the permission for {operation} (Invalid scopes)"
        return Misconfigured(f"{why}: grant it in the app's panel")
    if code in _APP_CODES:
        return Misconfigured(f"the application is not accepted ({code}): see the app's panel")
    if code in _TOKEN_CODES:
        return AuthExpired(f"the token is not accepted ({code})")
    return None


def forbidden(response: Response, request: Request) -> AdapterError:
    """The error that fits a 403; only one that is about all calls may stop all calls."""
    if (error := read_error(response) or barred(response, request.operation)) is not None:
        return error
    why = "; ".join(reasons(response))
    if request.operation in _OF_THE_ACCOUNT:
        return AuthExpired(f"Mercado Livre does not let the account do this: {why}")
    payload = response.json()
    code = _text(payload.get("error")) if isinstance(payload, dict) else ""
    if request.method == "GET" or code in ("", "access_denied"):
        # Page "Error 403" gives "access_denied" to what is not ours, and to what is for now.
        return RetryLater(f"Mercado Livre does not allow this now: {why}")
    return Rejected(reasons(response))


class Api:
    """Mercado Livre as one seller sees it; the hub adds address, token and limits."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def get(
        self,
        where: str,
        operation: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        ok: Sequence[int] = (),
    ) -> Response:
        """Read something; ``ok`` lists further statuses that the caller reads itself."""
        request = Request(
            "GET", where, query or {}, {**_JSON, **(headers or {})}, operation=operation
        )
        return await self.raw(request, ok=ok)

    async def send(
        self,
        method: str,
        where: str,
        body: Any,
        operation: str,
        *,
        headers: Mapping[str, str] | None = None,
        ok: Sequence[int] = (),
    ) -> Response:
        """Write something as JSON."""
        request = json_request(
            method, where, body, headers={**_JSON, **(headers or {})}, operation=operation
        )
        return await self.raw(request, ok=ok)

    async def raw(self, request: Request, *, ok: Sequence[int] = ()) -> Response:
        """Send a request as it is.

        A 403 is in ``ok`` for what one thing refuses: never for a token or an application that is
        not accepted, or lacks a permission.
        """
        answer = await self._http.send(request)
        if answer.status == 403:
            if 403 not in ok:
                raise forbidden(answer, request)
            if (error := barred(answer, request.operation)) is not None:
                raise error
        return expect(answer, ok=ok, read_error=read_error)


def plain_text(html: str, most: int) -> str:
    """Text without markup or emoji: a description with either is refused (cause 398)."""
    broken = re.sub(r"(?i)<\s*(br|/p|/div|/li|/h[1-6])[^>]*>", "\n", html)
    text = unescape(re.sub(r"<[^>]*>", " ", broken))
    kept = "".join(each for each in text.replace("<", " ").replace(">", " ") if ord(each) <= 0xFFFF)
    lines = (" ".join(line.split()) for line in kept.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:most]


def chunks(items: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    """The items in pieces of at most ``size``."""
    return (items[start : start + size] for start in range(0, len(items), size))
