"""Demo Market's wire: how its JSON becomes the hub's values, and the other way round."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from html import unescape
from math import isfinite
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from connector.sdk import (
    BadWebhook,
    CategoryAttribute,
    Done,
    Found,
    InLot,
    Money,
    Offer,
    Outcome,
    PriceStock,
    Refused,
    Request,
    Response,
    RetryLater,
    TryAgain,
    from_major,
)

MAX_TITLE = 120
MAX_DESCRIPTION = 5000
MAX_IMAGES = 12
MAX_STOCK = 99_999
SIGNATURE_AGE_S = 300
POLL_OVERLAP = timedelta(minutes=5)


# --- scalars ------------------------------------------------------------------------------------


def _told_amount(value: object) -> Decimal:
    """An amount in major units; raises rather than guesses: it is someone's money."""
    text = str(value).strip()
    if re.fullmatch(r"-?\d+,\d{2}", text):
        text = text.replace(",", ".")
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError("is no amount") from None
    if isinstance(value, bool) or not amount.is_finite():
        raise ValueError("is no amount")
    return amount


def _amount(value: object) -> Decimal:
    return Decimal(0) if value is None or value == "" else _told_amount(value)


def _moment(value: object) -> datetime:
    """A moment from ISO 8601 (UTC where no zone is told) or from seconds since 1970."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _maybe_moment(value: object) -> datetime | None:
    return _moment(value) if value else None


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def number(value: object) -> float:
    """A number that is worth having but not worth failing for; 0 where it cannot be read."""
    try:
        read = float(str(value))
    except ValueError:
        return 0.0
    return read if isfinite(read) else 0.0


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


Amount = Annotated[Decimal, BeforeValidator(_amount)]
RequiredAmount = Annotated[Decimal, BeforeValidator(_told_amount)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
MaybeMoment = Annotated[datetime | None, BeforeValidator(_maybe_moment)]
Text = Annotated[str, BeforeValidator(_text)]


class Wire(BaseModel):
    """Something Demo Market says; what it says beyond that is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def major(minor: int, currency: str) -> str:
    """Minor units as the decimal text that Demo Market speaks: ``19990`` -> ``"199.90"``."""
    return str(Money(minor, currency).major())


def plain_text(html: str) -> str:
    """A description without tags, for Demo Market shows them literally."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())[:MAX_DESCRIPTION]


def ean_is_valid(ean: str) -> bool:
    """Whether a GTIN-8, -12, -13 or -14 carries the right check digit."""
    if not re.fullmatch(r"[0-9]{8}|[0-9]{12,14}", ean):
        return False
    weighted = sum(int(digit) * (3, 1)[i % 2] for i, digit in enumerate(reversed(ean[:-1])))
    return (10 - weighted % 10) % 10 == int(ean[-1])


def object_of(response: Response) -> dict[str, Any]:
    """The JSON object of a good answer; anything else (a proxy's page, say) is worth a retry."""
    payload = response.json()
    if not isinstance(payload, dict):
        raise RetryLater("Demo Market's answer cannot be read", detail=response.text[:300])
    return payload


def rows_of(response: Response) -> list[dict[str, Any]]:
    """The objects below ``items`` of a good answer."""
    rows = object_of(response).get("items")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RetryLater("Demo Market's answer cannot be read", detail=response.text[:300])
    return rows


# --- categories ---------------------------------------------------------------------------------


def attribute(row: Mapping[str, Any]) -> CategoryAttribute:
    """One attribute of a category."""
    values = [value for value in _list(row.get("values")) if isinstance(value, Mapping)]
    return CategoryAttribute(
        id=_text(row.get("id")),
        name=_text(row.get("name")) or _text(row.get("id")),
        required=row.get("required") is True,
        recommended=row.get("recommended") is True,
        variation=row.get("variation") is True,
        kind=_text(row.get("kind")),
        max_length=int(number(row.get("max_length"))),
        units=tuple(_text(unit) for unit in _list(row.get("units"))),
        values=tuple((_text(value.get("id")), _text(value.get("name"))) for value in values),
    )


# --- listings -----------------------------------------------------------------------------------


def broken_rules(offer: Offer) -> list[str]:
    """Demo Market's rules that the offer breaks, all of them at once."""
    content, title = offer.content, offer.content.title.strip()
    rules = (
        (bool(title), "the title is missing"),
        (
            len(title) <= MAX_TITLE,
            f"the title has {len(title)} characters, at most {MAX_TITLE} are allowed",
        ),
        (bool(content.images), "at least one image is needed"),
        (offer.terms.price_minor > 0, "the price must be above zero"),
        (
            not content.ean or ean_is_valid(content.ean),
            f"EAN {content.ean} is not valid: its length or check digit is wrong",
        ),
        (bool(content.market_category), "the category is not mapped to one of Demo Market's"),
    )
    return [words for kept, words in rules if not kept]


def terms_to_wire(terms: PriceStock) -> dict[str, Any]:
    """Price and stock of one listing."""
    return {
        "seller_sku": terms.sku,
        "price": major(terms.price_minor, terms.currency),
        # Demo Market refuses a list price below the price.
        "list_price": major(max(terms.list_price_minor, terms.price_minor), terms.currency),
        "currency": terms.currency,
        "stock": min(terms.stock, MAX_STOCK),
    }


def offer_to_wire(offer: Offer) -> dict[str, Any]:
    """A whole listing."""
    content = offer.content
    mapped = [a.model_dump(mode="json") for a in content.market_attributes]
    return {
        **terms_to_wire(offer.terms),
        "product_id": content.product_id,
        "title": content.title.strip(),
        "description": plain_text(content.description),
        "brand": content.brand,
        "ean": content.ean,
        "reference": content.reference,
        "category_id": content.market_category,
        "images": list(content.images[:MAX_IMAGES]),
        "attributes": [a.model_dump(mode="json") for a in content.attributes],
        "package": content.package.model_dump(),
        "unit": {"measure": content.measurement_unit, "multiplier": content.unit_multiplier},
        **({"market_attributes": mapped} if mapped else {}),
    }


def outcome(item: Mapping[str, Any], lot_id: str) -> Outcome | None:
    """What Demo Market says of one item, None where that settles nothing.

    A listing it no longer knows, or a status nobody documented, is left for the hub to look up.
    """
    reasons = tuple(
        _text(error.get("message")) or _text(error.get("code"))
        for error in _list(item.get("errors"))
        if isinstance(error, Mapping)
    )
    match item.get("status"):
        case "done":
            return Done(_text(item.get("listing_id")), _text(item.get("url")))
        case "in_lot" if lot_id:
            return InLot(lot_id)
        case "refused":
            return Refused(reasons or ("Demo Market refused the item and gave no reason",))
        case "retry" | "conflict":
            return TryAgain("; ".join(reasons), number(item.get("retry_after_s")))
    return None


class WireListing(Wire):
    """A listing as the search answers it."""

    seller_sku: Text
    listing_id: Text = ""
    url: Text = ""
    price: Amount = Decimal(0)
    currency: Text = ""
    stock: int | None = None
    blocked: bool = False

    def found(self) -> Found:
        """The same in the hub's words."""
        return Found(
            market_id=self.listing_id,
            url=self.url,
            price_minor=from_major(self.price, self.currency).minor,
            stock=self.stock,
            blocked=self.blocked,
        )


# --- polling --------------------------------------------------------------------------------------


class Cursor(Wire):
    """Where polling stands: the newest change seen, and the page while a poll has several."""

    newest: MaybeMoment = None
    since: MaybeMoment = None
    page: str = ""

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read a cursor; one that cannot be read starts over, for repeats are harmless."""
        try:
            return cls.model_validate_json(text) if text else cls()
        except ValidationError:
            return cls()

    def __str__(self) -> str:
        return self.model_dump_json(exclude_defaults=True)

    def query(self) -> dict[str, str]:
        """The question to ask next."""
        query = {"page": self.page} if self.page else {}
        if self.since is not None:
            # Changes become visible a little after their own time: look back past it.
            query["updated_since"] = (self.since - POLL_OVERLAP).isoformat()
        return query

    def advance(self, changed_at: Iterable[object], page: str) -> Cursor:
        """Where polling stands after an answer; the clock is Demo Market's own throughout."""
        seen = [self.newest] if self.newest else []
        for at in changed_at:
            with suppress(ValueError):  # one unreadable time must not stop all polling
                seen.append(_moment(at))
        newest = max(seen, default=None)
        if page and page != self.page:
            return Cursor(newest=newest, since=self.since, page=page)
        return Cursor(newest=newest, since=newest)


# --- webhooks -----------------------------------------------------------------------------------


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature of a webhook."""
    message = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def verified_events(request: Request, secret: str, now: datetime) -> list[Mapping[str, Any]]:
    """The order events of a webhook whose signature is right and fresh.

    Raises:
        BadWebhook: unsigned, wrongly signed, stale or unreadable.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    timestamp = headers.get("x-demo-timestamp", "")
    if not secret or not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise BadWebhook("the webhook is not signed")
    signature = headers.get("x-demo-signature", "").encode()
    if not hmac.compare_digest(sign(secret, timestamp, request.body).encode(), signature):
        raise BadWebhook("the webhook's signature is wrong")
    # Checked after the signature, so that only Demo Market learns how our clock stands.
    if abs(now.timestamp() - int(timestamp)) > SIGNATURE_AGE_S:
        raise BadWebhook("the webhook is too old, or from the future")
    payload = request.json()
    events = payload.get("events") if isinstance(payload, dict) else None
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise BadWebhook("the webhook has no list of events")
    return [event for event in events if _text(event.get("cart_id"))]
