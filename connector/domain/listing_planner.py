"""Decide what a listing needs: the smallest steps from what is to what should be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from connector.domain.connection import Rules
from connector.domain.listing import (
    Action,
    Commercial,
    Confirmed,
    Listing,
    ListingState,
    Reason,
    SkuRecord,
)
from connector.domain.offer import Content, Offer, PriceStock


@dataclass(frozen=True, slots=True)
class Market:
    """What the marketplace can do, as far as the planner cares."""

    block: bool = True
    delete: bool = True
    content: bool = True
    find: bool = True
    max_stock: int = 1_000_000


@dataclass(frozen=True, slots=True)
class View:
    """Everything the decision depends on. ``listing`` holds what was just read from VTEX.

    ``held`` are units in orders that VTEX has not reserved yet; ``invalid`` are the marketplace's
    own rules that the offer breaks; ``wanted`` is False when the whole connection is switched off.
    """

    listing: Listing
    rules: Rules
    market: Market
    now: datetime
    held: int = 0
    invalid: tuple[str, ...] = ()
    wanted: bool = True
    unmapped: tuple[str, ...] = ()
    """What of the content is not mapped to the marketplace's words, and where to map it."""
    sold: bool = False
    """The marketplace sold some since: its own stock is no longer what it confirmed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order, and what to tell. ``target`` is what the marketplace will then have."""

    steps: tuple[Action, ...]
    state: ListingState
    reasons: tuple[Reason, ...] = ()
    target: Confirmed | None = None
    offer: Offer | None = None
    terms: PriceStock | None = None
    urgent: bool = False
    """Stock to zero or a block: overtakes everything else."""
    ask: bool = False
    """Somebody must decide (bad-price guard)."""


def publishable_stock(commercial: Commercial, held: int, rules: Rules, market_max: int) -> int:
    """Units to publish: VTEX's, less held ones, less the buffer, at most what both sides allow."""
    free = commercial.stock - held - rules.stock_buffer
    if rules.max_stock is not None:
        free = min(free, rules.max_stock)
    return max(0, min(free, market_max))


def with_category(content: Content, rules: Rules) -> Content:
    """The content with the marketplace category that the connection maps it to.

    The leaf category is tried first, then its parents, then the default.
    """
    category = _mapped_category(content, rules)
    if category == content.market_category:
        return content
    return content.model_copy(update={"market_category": category})


def _mapped_category(content: Content, rules: Rules) -> str:
    if rules.categories:
        for category in (content.category_id, *reversed(content.category_path)):
            if category and category in rules.categories:
                return rules.categories[category]
    return rules.default_category


def plan_listing(view: View) -> Plan:
    """Compare what should be with what the marketplace confirmed."""
    listing = view.listing
    if listing.lot is not None:
        return Plan((), listing.state, listing.reasons)
    if listing.intent is not None and view.market.find:
        return Plan((Action.FIND,), listing.state, listing.reasons)
    unsellable = _unsellable(view)
    if listing.confirmed is None:
        return _plan_unlisted(view, unsellable)
    if unsellable:
        return _plan_withdrawal(view, unsellable)
    return _plan_listed(view)


# --- reasons --------------------------------------------------------------------------------------


def _unsellable(view: View) -> tuple[Reason, ...]:
    """Why the SKU must not be sold at all on this marketplace; every reason, not the first."""
    record = view.listing.record
    if not view.wanted:
        return (Reason(code="A2", text="the connection is disabled"),)
    if record is None or record.unknown:
        return (Reason(code="A1", text="VTEX does not know this SKU any more"),)
    checks = (
        (
            record.active,
            "A2",
            'the SKU is inactive: check "Activate SKU", image, carrier and price',
        ),
        (record.product_active, "A2", "the product is inactive in VTEX"),
        (record.in_policy, "A1", "the SKU is not in the connection's trade policy"),
        (record.own_seller, "A1", "the SKU is sold by another seller, not by the main account"),
        (not record.needs_attachment, "E1", "the SKU requires an attachment when it is ordered"),
        (not record.gift_card, "E1", "the SKU is a gift card"),
    )
    return tuple(Reason(code=code, text=text) for good, code, text in checks if not good)


def _content_reasons(view: View, content: Content) -> tuple[Reason, ...]:
    """What is not mapped first: the marketplace's own rules may only say the same again."""
    texts = view.unmapped
    if not content.market_category and not texts:
        path = "/".join(content.category_path) or content.category_id or "none"
        texts = (f"category {path} of {content.title} (SKU {content.sku}) is not mapped",)
    return (
        *(Reason(code="E4", text=text) for text in texts),
        *(Reason(code="E1", text=text) for text in view.invalid),
    )


def _price_reasons(view: View, commercial: Commercial) -> tuple[Reason, ...]:
    """Why the price may not be published; a person's approval of this very price silences them."""
    price, rules, listing = commercial.price_minor, view.rules, view.listing
    if price <= 0:
        return (Reason(code="A1", text=commercial.why or "VTEX gives no price"),)
    if listing.approved_price_minor == price:
        return ()
    reasons = []
    if rules.price_floor is not None and price < rules.price_floor:
        reasons.append(f"price {price} is below the connection's floor {rules.price_floor}")
    if rules.price_ceiling is not None and price > rules.price_ceiling:
        reasons.append(f"price {price} is above the connection's ceiling {rules.price_ceiling}")
    if (change := _price_change_pct(listing, price)) is not None and (
        rules.max_price_change_pct is not None and change > rules.max_price_change_pct
    ):
        reasons.append(
            f"price would change by {change:.0f} %, more than {rules.max_price_change_pct:g} %: "
            "approve it or correct it in VTEX"
        )
    return tuple(Reason(code="E1", text=text) for text in reasons)


def _price_change_pct(listing: Listing, price: int) -> float | None:
    if listing.confirmed is None or listing.confirmed.price_minor <= 0:
        return None
    return abs(price - listing.confirmed.price_minor) * 100 / listing.confirmed.price_minor


# --- plans ----------------------------------------------------------------------------------------


def _plan_unlisted(view: View, unsellable: tuple[Reason, ...]) -> Plan:
    """A SKU the marketplace does not have: list it when everything is right, else say it all."""
    listing = view.listing
    if not view.wanted or listing.record is None or listing.record.unknown:
        return _withdraw_doubtful(view, unsellable) or Plan((), ListingState.GONE, unsellable)
    content, commercial = _both(listing)
    reasons = list(unsellable)
    if content is not None:
        reasons.extend(_content_reasons(view, content))
    if commercial is None or commercial.missing:
        if not unsellable:
            why = (commercial.why if commercial else "") or "missing from VTEX's simulation"
            reasons.append(Reason(code="A1", text=f"{why}: check trade policy, carrier and price"))
    else:
        reasons.extend(_price_reasons(view, commercial))
        if publishable_stock(commercial, view.held, view.rules, view.market.max_stock) == 0:
            reasons.append(Reason(code="A1", text=commercial.why or "no stock to publish"))
    if reasons or content is None or commercial is None:
        doubtful = _withdraw_doubtful(view, tuple(reasons))
        if doubtful is not None:
            return doubtful
        needs_help = any(reason.code in {"E1", "E4"} for reason in reasons) and not unsellable
        state = ListingState.PARKED if needs_help else ListingState.NEW
        steps = (Action.PARK,) if needs_help else ()
        return Plan(steps, state, tuple(reasons), ask=needs_help)
    target, terms = _target(view, commercial, content.digest())
    return Plan(
        (Action.CREATE,),
        ListingState.CREATING,
        target=target,
        terms=terms,
        offer=Offer(content=content, terms=terms),
    )


def _withdraw_doubtful(view: View, reasons: tuple[Reason, ...]) -> Plan | None:
    """A creation that may have arrived, with nobody to ask: take back what it would have made."""
    intent = view.listing.intent
    if intent is None:
        return None
    made = view.listing.model_copy(update={"confirmed": intent.target})
    return _plan_withdrawal(replace(view, listing=made), reasons)


def _plan_withdrawal(view: View, reasons: tuple[Reason, ...]) -> Plan:
    """A listed SKU that must not be sold: block it, or delete it where blocking is not possible."""
    listing, confirmed = view.listing, view.listing.confirmed
    if confirmed is None:  # for the type checker: only called for listed SKUs
        return Plan((), listing.state, reasons)
    confirmed = _priced(listing, confirmed)
    target = confirmed.model_copy(update={"stock": 0, "blocked": True, "at": view.now})
    terms = _terms(listing, target)
    certain = listing.intent is None
    if confirmed.blocked and certain:
        return Plan((), ListingState.BLOCKED, reasons, target=confirmed, terms=terms)
    if view.market.block:
        return Plan((Action.BLOCK,), ListingState.BLOCKED, reasons, target, None, terms, True)
    if view.market.delete:
        return Plan((Action.DELETE,), ListingState.GONE, reasons, target, None, terms, True)
    if confirmed.stock == 0 and certain:
        return Plan((), ListingState.BLOCKED, reasons, target=confirmed, terms=terms)
    zero = confirmed.model_copy(update={"stock": 0, "at": view.now})
    return Plan((Action.PRICE_STOCK,), ListingState.BLOCKED, reasons, zero, None, terms, True)


def _plan_listed(view: View) -> Plan:
    """A listed, sellable SKU: bring price, stock and content up to date, if they differ."""
    listing, confirmed = view.listing, view.listing.confirmed
    content, commercial = _both(listing)
    if confirmed is None or content is None or commercial is None:
        return Plan((), listing.state, listing.reasons)
    price_reasons = () if commercial.missing else _price_reasons(view, commercial)
    content_reasons = _content_reasons(view, content)
    digest = confirmed.content_digest if content_reasons else content.digest()
    target, _ = _target(view, commercial, digest)
    if commercial.missing or price_reasons:
        # A price that may not be published leaves the confirmed one; stock stays true either way.
        kept = _priced(listing, confirmed)
        target = target.model_copy(
            update={
                "price_minor": kept.price_minor,
                "list_price_minor": kept.list_price_minor,
                "stopgap": kept.stopgap,
            }
        )
    if commercial.missing or commercial.price_minor <= 0 or target.stopgap:
        target = target.model_copy(update={"stock": 0})
    if target.price_minor <= 0:
        # Nobody knows a price to send along with stock zero: block it instead.
        return _plan_withdrawal(view, (*_missing_reason(commercial), *price_reasons))
    terms = _terms(listing, target, currency=commercial.currency)
    steps = _differences(view, confirmed, target)
    help_needed = any(reason.code in {"E1", "E4"} for reason in (*price_reasons, *content_reasons))
    missing = _missing_reason(commercial)
    return Plan(
        steps=(*steps, Action.PARK) if help_needed else steps,
        state=ListingState.LISTED,
        reasons=(*missing, *price_reasons, *content_reasons),
        target=target,
        offer=Offer(content=content, terms=terms),
        terms=terms,
        urgent=target.stock == 0 and confirmed.stock != 0,
        ask=help_needed,
    )


def _priced(listing: Listing, confirmed: Confirmed) -> Confirmed:
    """The confirmed terms with a price that can be sent: the marketplace may not have told it."""
    price, stopgap = confirmed.price_minor, confirmed.stopgap
    if price <= 0:
        price, stopgap = listing.commercial.price_minor if listing.commercial else 0, True
    price = max(price, 0)  # with stock zero, any amount is better than none
    listed = max(confirmed.list_price_minor, price)
    return confirmed.model_copy(
        update={"price_minor": price, "list_price_minor": listed, "stopgap": stopgap}
    )


def _missing_reason(commercial: Commercial) -> tuple[Reason, ...]:
    if not commercial.missing:
        return ()
    why = commercial.why or "missing from VTEX's simulation"
    return (Reason(code="A1", text=f"{why}: stock set to zero"),)


def _differences(view: View, confirmed: Confirmed, target: Confirmed) -> tuple[Action, ...]:
    """Stock and price first: a wrong one costs money at once, old content does not.

    After a write whose outcome nobody can be asked about, everything is sent again.
    """
    steps = []
    doubt = view.listing.intent is not None
    terms_differ = (
        doubt
        or view.sold
        or confirmed.blocked
        or confirmed.stock != target.stock
        or confirmed.price_minor != target.price_minor
        or confirmed.list_price_minor != target.list_price_minor
    )
    if terms_differ:
        steps.append(Action.PRICE_STOCK)
    if view.market.content and (doubt or confirmed.content_digest != target.content_digest):
        steps.append(Action.CONTENT)
    return tuple(steps)


def _both(listing: Listing) -> tuple[Content | None, Commercial | None]:
    return (listing.record.content if listing.record else None), listing.commercial


def _target(view: View, commercial: Commercial, digest: str) -> tuple[Confirmed, PriceStock]:
    target = Confirmed(
        price_minor=commercial.price_minor,
        list_price_minor=max(commercial.list_price_minor, commercial.price_minor),
        stock=publishable_stock(commercial, view.held, view.rules, view.market.max_stock),
        content_digest=digest,
        at=view.now,
    )
    return target, _terms(view.listing, target, currency=commercial.currency)


def _terms(listing: Listing, target: Confirmed, currency: str = "") -> PriceStock:
    known = listing.commercial.currency if listing.commercial else ""
    return PriceStock(
        sku=listing.sku,
        price_minor=target.price_minor,
        list_price_minor=target.list_price_minor,
        currency=currency or known,
        stock=target.stock,
        market_id=listing.market_id,
    )


def mapped(record: SkuRecord, rules: Rules) -> SkuRecord:
    """The record with its content's marketplace category filled in."""
    if record.content is None:
        return record
    content = with_category(record.content, rules)
    if content is record.content:
        return record
    return record.model_copy(update={"content": content})
