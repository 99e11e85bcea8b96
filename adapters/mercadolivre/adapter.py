"""Mercado Livre (Mercado Libre): one adapter for all its countries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.mercadolivre import described, events, oauth
from adapters.mercadolivre.api import Api, object_of
from adapters.mercadolivre.catalog import Catalog
from adapters.mercadolivre.items import MAX_STOCK, broken_rules
from adapters.mercadolivre.listings import MULTIGET, Listings, tags_of
from adapters.mercadolivre.papers import Papers
from adapters.mercadolivre.polling import Poller
from adapters.mercadolivre.reading import Bundle, Reader
from adapters.mercadolivre.settings import MercadoLivreApp, MercadoLivreSettings
from adapters.mercadolivre.telling import Teller
from connector.sdk import (
    Adapter,
    AdapterSettings,
    AppCall,
    Capability,
    Category,
    CategoryAttribute,
    CategoryGuess,
    Consent,
    Found,
    Http,
    Invoice,
    Limit,
    MarketOrder,
    Misconfigured,
    Offer,
    OrderPage,
    Outcomes,
    PriceStock,
    Request,
    RetryLater,
    Scope,
    Token,
    Tracking,
)

# Not there: lots (everything is done at once), a connection's own webhook (there is one address per
# application) and acceptance (orders come paid).
_CAPABILITIES = frozenset(
    {
        *(Capability.CREATE, Capability.CONTENT, Capability.PRICE_STOCK, Capability.BLOCK),
        *(Capability.DELETE, Capability.FIND),
        *(Capability.CATEGORIES, Capability.ATTRIBUTES, Capability.PREDICT),
        *(Capability.APP_WEBHOOK, Capability.POLLING, Capability.CANCEL),
        *(Capability.INVOICE, Capability.TRACKING, Capability.DELIVERED, Capability.TOKENS),
    }
)


class MercadoLivreAdapter(Adapter[MercadoLivreSettings]):
    """Items, packs, thin events and single-use refresh tokens."""

    name = "mercadolivre"
    title = "Mercado Livre"
    settings_model = MercadoLivreSettings
    app_settings_model = MercadoLivreApp
    capabilities = _CAPABILITIES
    # Only the last of these is published (page "Convivencia Full y Flex"). The others are our own
    # care: calls are counted per application and endpoint, and nobody says how many are too many.
    limits = (
        Limit(Scope.APPLICATION, rate=100, burst=100),
        Limit(Scope.CONNECTION, rate=60, burst=60),
        Limit(Scope.OPERATION, rate=90, per_s=60, burst=10, operation="stock.selling-address"),
    )
    batch_size = MULTIGET
    max_stock = MAX_STOCK
    fields = described.FIELDS
    errors = described.ERRORS
    unverified = described.UNVERIFIED

    @classmethod
    def base_url(cls, settings: MercadoLivreSettings) -> str:
        """One address for all countries."""
        return str(settings.api_url).rstrip("/")

    @classmethod
    def tenant(cls, settings: MercadoLivreSettings) -> str:
        """Events name the seller's user id."""
        return settings.user_id

    @classmethod
    def tree_scope(cls, settings: MercadoLivreSettings) -> str:
        """Each country has its own category tree."""
        return settings.site

    async def check(self) -> str:
        """Ask whose token this is, and whether the settings fit the account."""
        account = object_of(await self._api.get("/users/me", "account.read"))
        if str(account.get("id") or "") != self.settings.user_id:
            raise Misconfigured("the token belongs to another account than user_id says")
        if account.get("site_id") not in (None, self.settings.site):
            raise Misconfigured(f"the account sells on {account['site_id']}: set site to that")
        self._listings.check_stock(tags_of(account))
        return str(account.get("nickname") or self.settings.user_id)

    def validate(self, offer: Offer) -> list[str]:
        """The rules that hold in every category."""
        return broken_rules(offer, self.settings)

    # --- listings -------------------------------------------------------------------------------

    async def create(self, offers: Sequence[Offer]) -> Outcomes:
        """List; what has a listing with this SKU already is brought up to date."""
        return await self._listings.create(offers)

    async def update_content(self, offers: Sequence[Offer]) -> Outcomes:
        """Bring title, pictures, attributes and description up to date."""
        return await self._listings.update_content(offers)

    async def update_price_stock(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Set price and stock; stock brings back what was paused for want of it."""
        return await self._listings.price_stock(terms)

    async def block(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Take all stock away, which pauses the listings."""
        return await self._listings.block(terms)

    async def delete(self, terms: Sequence[PriceStock]) -> Outcomes:
        """Close and delete."""
        return await self._listings.delete(terms)

    async def find(self, skus: Sequence[str]) -> Mapping[str, Found]:
        """Look listings up by the attribute SELLER_SKU."""
        return {sku: item.found() for sku, item in (await self._listings.find(skus)).items()}

    async def categories(self) -> Sequence[Category]:
        """The site's tree, or the branches that the settings name."""
        return await Catalog(self._api, self.settings).tree()

    async def attributes(self, category_id: str) -> Sequence[CategoryAttribute]:
        """What a category wants to know, but for what the hub fills in anyway."""
        return await Catalog(self._api, self.settings).attributes(category_id)

    async def predict_category(self, title: str) -> Sequence[CategoryGuess]:
        """Mercado Livre's own predictor."""
        return await Catalog(self._api, self.settings).predict(title)

    # --- orders -----------------------------------------------------------------------------------

    @classmethod
    def app_webhook(
        cls, settings: AdapterSettings | None, request: Request, now: datetime
    ) -> Sequence[AppCall]:
        """What a thin event points at."""
        del now
        return events.app_calls(settings, request)

    async def orders_since(self, cursor: str) -> OrderPage:
        """Orders by date, then the events that were missed."""
        return await Poller(self._api, self.settings, self.app, self.clock.now()).page(cursor)

    async def order(self, key: str) -> MarketOrder | None:
        """A pack, or the single order, that the key or the event stands for."""
        return await self._reader.read(key)

    async def cancel(self, key: str, reason: str) -> None:
        """Say that the order will not be fulfilled."""
        found = await self._found(key)
        await self._teller.cancel(found.orders, reason)

    async def send_invoice(self, key: str, invoice: Invoice) -> None:
        """Import the NF-e where it unlocks the label, else attach it for the buyer."""
        bundle = await self._reader.bundle(key)
        if bundle is None:
            raise RetryLater("Mercado Livre does not show the order now")
        papers = Papers(self._api, self.settings)
        await papers.send(bundle.key, invoice, bundle.shipments, bundle.invoices)

    async def send_tracking(self, key: str, tracking: Tracking) -> None:
        """Say, or correct, how the seller's own parcel travels."""
        found = await self._found(key)
        shipments = await self._reader.shipments(found.orders)
        await self._teller.tracking(found.orders, shipments, tracking)

    async def send_delivered(self, key: str, invoice_number: str, delivered_at: datetime) -> None:
        """Say that the seller's own parcel has arrived."""
        del invoice_number
        found = await self._found(key)
        shipments = await self._reader.shipments(found.orders)
        await self._teller.delivered(found.orders, shipments, delivered_at)

    async def _found(self, key: str) -> Bundle:
        found = await self._reader.find(key)
        if found is None:
            raise RetryLater("Mercado Livre does not show the order now")
        return found

    # --- tokens -----------------------------------------------------------------------------------

    @classmethod
    def authorize_url(cls, app: Any, settings: MercadoLivreSettings, consent: Consent) -> str:
        """The country's consent page."""
        return oauth.authorize_url(app, settings, consent)

    @classmethod
    async def exchange_code(
        cls, app: Any, settings: MercadoLivreSettings, http: Http, code: str, consent: Consent
    ) -> Token:
        """Trade a code for the first token, which must be this account's."""
        return await oauth.exchange(app, settings, http, code, consent)

    @classmethod
    async def refresh_token(
        cls, app: Any, settings: MercadoLivreSettings, http: Http, token: Token
    ) -> Token:
        """Trade the refresh token, which works once."""
        del settings
        return await oauth.refresh(app, http, token)

    # --- rooms ------------------------------------------------------------------------------------

    @property
    def _api(self) -> Api:
        return Api(self.http)

    @property
    def _listings(self) -> Listings:
        return Listings(self._api, self.settings)

    @property
    def _reader(self) -> Reader:
        return Reader(self._api, self.settings)

    @property
    def _teller(self) -> Teller:
        return Teller(self._api, self.settings, self.clock.now())
