"""Every behaviour the kit asks for, with the fault that it is there to find."""

import dataclasses
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from adapters import demo
from adapters.demo import cart, wire
from connector.sdk import (
    AdapterError,
    AlreadyDone,
    AuthExpired,
    Category,
    Done,
    Found,
    HttpFailure,
    InLot,
    Limit,
    LotStatus,
    MarketStatus,
    OrderPage,
    RateLimited,
    Refused,
    Rejected,
    RetryLater,
    Scope,
    TryAgain,
    expect,
)

Demo = demo.DemoAdapter


class ForgetsTheWait(Demo):
    async def check(self):
        try:
            return await super().check()
        except RateLimited as error:
            raise RateLimited(error.public) from error


class TakesThrottlingForRefusal(Demo):
    async def update_price_stock(self, terms):
        try:
            return await super().update_price_stock(terms)
        except RateLimited:
            return {one.sku: Refused(("too many requests",)) for one in terms}


class TakesAPageForNothing(Demo):
    async def find(self, skus):
        try:
            return await super().find(skus)
        except RetryLater:
            return {}


class TakesAPageForAMissingOrder(Demo):
    async def order(self, key):
        try:
            return await super().order(key)
        except RetryLater:
            return None


class SaysDoneWhateverComes(Demo):
    async def update_price_stock(self, terms):
        try:
            return await super().update_price_stock(terms)
        except RetryLater:
            return {one.sku: Done() for one in terms}


class TakesRevokedKeysForRefusal(Demo):
    async def orders_since(self, cursor):
        try:
            return await super().orders_since(cursor)
        except AuthExpired as error:
            raise Rejected([error.public]) from error


class SwallowsLostAnswers(Demo):
    async def update_price_stock(self, terms):
        try:
            return await super().update_price_stock(terms)
        except HttpFailure:
            return {one.sku: Done() for one in terms}


class RefusesTheWholeBatch(Demo):
    async def create(self, offers):
        told = await super().create(offers)
        if any(isinstance(end, Refused) for end in told.values()):
            return {offer.sku: Refused(("something was wrong",)) for offer in offers}
        return told


class LosesTheReason(Demo):
    async def create(self, offers):
        told = await super().create(offers)
        return {
            sku: Refused(("refused",)) if isinstance(end, Refused) else end
            for sku, end in told.items()
        }


class RoundsThroughFloats(Demo):
    async def create(self, offers):
        def cut(offer):
            price = int(offer.terms.price_minor / 100 * 10) * 10
            terms = offer.terms.model_copy(update={"price_minor": price, "list_price_minor": price})
            return offer.model_copy(update={"terms": terms})

        return await super().create([cut(offer) for offer in offers])


class KeepsBlockedOnSale(Demo):
    async def block(self, terms):
        return {one.sku: Done() for one in terms}


class FindsOldPrices(Demo):
    async def find(self, skus):
        found = await super().find(skus)
        return {sku: dataclasses.replace(one, price_minor=1) for sku, one in found.items()}


class FindsWhatIsNotThere(Demo):
    async def find(self, skus):
        return {sku: Found(market_id="1") for sku in skus}


class InventsOrders(Demo):
    async def order(self, key):
        order = await super().order(key)
        if order is None:
            raise RetryLater("no such order")
        return order


class AsciiOnly(Demo):
    async def create(self, offers):
        def plain(offer):
            title = offer.content.title.encode("ascii", "ignore").decode()
            return offer.model_copy(
                update={"content": offer.content.model_copy(update={"title": title})}
            )

        return await super().create([plain(offer) for offer in offers])


class RefusesEmoji(Demo):
    def validate(self, offer):
        return super().validate(offer) + ["emoji" for _ in "😀" if "😀" in offer.content.title]


class TakesLotsForDone(Demo):
    async def lot(self, lot_id):
        return LotStatus(finished=True, outcomes={}, rest=Done())


class TakesLotsForOver(Demo):
    async def lot(self, lot_id):
        return LotStatus(finished=True, outcomes={})


class GuessesUnknownStatuses(Demo):
    async def order(self, key):
        order = await super().order(key)
        known = order is None or order.raw_status in cart.STATUSES
        return order if known else order.model_copy(update={"status": MarketStatus.PAID})


class NaiveTimes(Demo):
    async def order(self, key):
        order = await super().order(key)
        naive = None if order is None else order.created_at.replace(tzinfo=None)
        return order and order.model_copy(update={"created_at": naive})


class LocalTimes(Demo):
    async def order(self, key):
        order = await super().order(key)
        return order and order.model_copy(
            update={"created_at": datetime(2026, 1, 1, 9, tzinfo=UTC)}
        )


class AddsUpByItself(Demo):
    async def order(self, key):
        order = await super().order(key)
        if order is None:
            return None
        goods = sum(line.unit_price_minor * line.quantity for line in order.lines)
        return order.model_copy(update={"total_minor": goods})


class NeverShips(Demo):
    async def send_tracking(self, key, tracking):
        return None


class FailsTheSecondTime(Demo):
    async def send_delivered(self, key, invoice_number, delivered_at):
        try:
            await super().send_delivered(key, invoice_number, delivered_at)
        except AlreadyDone as error:
            raise Rejected([error.public]) from error


class CannotCancelTwice(Demo):
    async def cancel(self, key, reason):
        try:
            await super().cancel(key, reason)
        except AlreadyDone as error:
            raise Rejected([error.public]) from error


class RemembersOrders(Demo):
    async def order(self, key):
        self.known = {key: await super().order(key), **getattr(self, "known", {})}
        return self.known[key]


class FirstPageOnly(Demo):
    async def orders_since(self, cursor):
        page = await super().orders_since(cursor)
        return dataclasses.replace(page, more=False, cursor="")


class NeverEnds(Demo):
    async def orders_since(self, cursor):
        return dataclasses.replace(await super().orders_since(cursor), more=True, cursor="")


class SkipsWhileReading(Demo):
    async def orders_since(self, cursor):
        """Counts places in a list of orders that are still waiting for something."""
        start = int(cursor or 0)
        carts = await self._living()
        keys = tuple(carts[start : start + 2])
        return OrderPage(keys, str(start + len(keys)), more=start + 2 < len(carts))

    async def _living(self):
        keys, cursor = [], ""
        while True:
            page = await super().orders_since(cursor)
            keys += [key for key in page.keys if key not in keys]
            cursor = page.cursor
            if not page.more:
                break
        orders = [await self.order(key) for key in keys]
        return [one.key for one in orders if one.status is not MarketStatus.CANCELLED]


class ReadsWebhooksOnce(Demo):
    seen: ClassVar = set()

    def webhook(self, request, now):
        keys = [key for key in super().webhook(request, now) if key not in self.seen]
        self.seen.update(keys)
        return keys


class BelievesAnyWebhook(Demo):
    def webhook(self, request, now):
        events = (request.json() or {}).get("events", [])
        return [event["cart_id"] for event in events]


class TellsItsKey(Demo):
    async def check(self):
        try:
            return await super().check()
        except AdapterError as error:
            key = self.settings.api_key.get_secret_value()
            raise AuthExpired(f"the key {key} is not accepted") from error


class PutsItsKeyIntoUrls(Demo):
    async def check(self):
        key = self.settings.api_key.get_secret_value()
        return str(expect(await self._get("/v1/account", "x", query={"key": key})).status)


class PromisesTooMuch(Demo):
    limits = (Limit(Scope.CONNECTION, rate=500, burst=500),)


class RefusesBrandless(Demo):
    def validate(self, offer):
        return super().validate(offer) + ([] if offer.content.brand else ["the brand is missing"])


class AnswersEmptyLists(Demo):
    async def create(self, offers):
        return await super().create(offers) if offers else {"": Done()}


class LeavesSkusInDoubt(Demo):
    async def create(self, offers):
        try:
            return await super().create(offers)
        except RetryLater:
            return {offer.sku: TryAgain() for offer in offers}


class CrashesOnPages(Demo):
    async def categories(self):
        return (await self.http.send(wire.Request("GET", "/v1/categories"))).json()["items"]


class TrustsEveryAnswer(Demo):
    async def find(self, skus):
        response = await self._send("POST", "/v1/listings/search", {"seller_skus": list(skus)}, "x")
        rows = response.json()["items"]
        return {row["seller_sku"]: Found(market_id=row["listing_id"]) for row in rows}


class TellsWhoBought(Demo):
    async def order(self, key):
        response = await self._get(f"/v1/carts/{key}", "orders.read")
        try:
            return cart.WireCart.model_validate(response.json()).order()
        except ValueError:
            raise Rejected([f"cannot read {response.text}"]) from None


class TornTree(Demo):
    async def categories(self):
        tree = [one for one in await super().categories() if one.id != "100"]
        return [*tree, Category("loop", "Loop", "loop", leaf=True)]


class NoTree(Demo):
    async def categories(self):
        return []


class AttributesTwice(Demo):
    async def attributes(self, category_id):
        return [*await super().attributes(category_id)] * 2


class ForgetsWhatItSells(Demo):
    async def create(self, offers):
        return {offer.sku: InLot("nowhere") for offer in offers}


FAULTS = [
    (ForgetsTheWait, "throttled-with-time", "check() raised RateLimited"),
    (TakesThrottlingForRefusal, "throttled-without-time", "update_price_stock() returned"),
    (TakesAPageForNothing, "server-errors", "find() returned {}"),
    (TakesAPageForAMissingOrder, "server-errors", "order() returned None"),
    (SaysDoneWhateverComes, "server-errors", "raise RetryLater"),
    (LeavesSkusInDoubt, "server-errors", "create() returned"),
    (CrashesOnPages, "server-errors", "categories() raised"),
    (TakesRevokedKeysForRefusal, "credentials-refused", "raise AuthExpired"),
    (SwallowsLostAnswers, "connection-lost", "let NotSent and NoAnswer pass"),
    (RefusesTheWholeBatch, "partial-failure", "because another one was refused"),
    (LosesTheReason, "partial-failure", "reason is lost"),
    (RoundsThroughFloats, "listing-money", "price and stock should be (101, 10)"),
    (KeepsBlockedOnSale, "listing-life", "after block() buyers can still buy"),
    (FindsOldPrices, "listing-life", "find() tells a price of 1"),
    (FindsWhatIsNotThere, "empty-and-huge", "must leave out what the marketplace does not know"),
    (AnswersEmptyLists, "empty-and-huge", "of nothing comes nothing"),
    (InventsOrders, "empty-and-huge", "RetryLater: no such order"),
    (AsciiOnly, "text", "lost 'Café'"),
    (RefusesEmoji, "text", "refuses accents or emoji"),
    (TakesLotsForDone, "lots-late", "nothing is done"),
    (TakesLotsForOver, "lots-partly", "which is still waiting in it"),
    (TakesLotsForDone, "lots-never", "told kit-1 as Done"),
    (ForgetsWhatItSells, "answer-lost-listings", "the second create() of kit-1 ends as"),
    (GuessesUnknownStatuses, "order-unknown-status", "must be PENDING"),
    (NaiveTimes, "order-times", "has no time zone"),
    (LocalTimes, "order-times", "it was sold at"),
    (AddsUpByItself, "order-money", "the marketplace says"),
    (NeverShips, "order-life", "the parcel's number is ''"),
    (FailsTheSecondTime, "order-life", "was delivered already"),
    (CannotCancelTwice, "answer-lost-orders", "cancelled already"),
    (FirstPageOnly, "polling", "polling did not find"),
    (NeverEnds, "polling", "it never ends"),
    (SkipsWhileReading, "polling-shift", "were skipped"),
    (ReadsWebhooksOnce, "webhook-duplicates", "the same webhook was read as"),
    (RemembersOrders, "webhook-order", "it was cancelled"),
    (BelievesAnyWebhook, "webhook-garbage", "must be BadWebhook"),
    (BelievesAnyWebhook, "webhook-forged", "was believed"),
    (TellsItsKey, "secrets", "a secret is in an error"),
    (PutsItsKeyIntoUrls, "secrets", "a secret is in a URL"),
    (TrustsEveryAnswer, "mangled-answers", "find() raised KeyError"),
    (TellsWhoBought, "mangled-answers", "order() raised Rejected with a buyer's data in it"),
    (TornTree, "categories", "has a parent 100 that is not in the tree"),
    (TornTree, "categories", "the category loop has children, but is called a leaf"),
    (TornTree, "categories", "the category loop is above itself"),
    (NoTree, "categories", "is no leaf of the tree"),
    (AttributesTwice, "categories", "names an attribute twice"),
    (PromisesTooMuch, "limits-hold", "met a 429"),
    (RefusesBrandless, "mandatory-enforced", "fields calls content.brand recommended"),
    (RefusesBrandless, "documented", "refuses an offer without content.brand"),
]


@pytest.mark.parametrize(("faulty", "rule", "says"), FAULTS, ids=lambda each: str(each)[-40:])
async def test_a_fault_is_found_and_told(measure, faulty, rule, says):
    row = await measure(rule, adapter=faulty)
    assert row.verdict == "FAILED", row
    assert says in "\n".join(row.says)


@pytest.mark.parametrize("rule", sorted({rule for _, rule, _ in FAULTS}))
async def test_without_the_fault_the_rule_is_kept(measure, rule):
    row = await measure(rule)
    assert (row.verdict, row.says) == ("passed", ())


def test_every_behaviour_has_a_fault_that_shows_it():
    from connector.sdk.kit import RULES
    from connector.sdk.kit.rule import Try

    tried = {name for name, rule in RULES.items() if isinstance(rule, Try)}
    shown = {rule for _, rule, _ in FAULTS}
    elsewhere = {"simulator", "token-refresh", "token-over"}
    assert tried - shown == elsewhere
