"""What a merchant and an operator set, and what differs from country to country."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, HttpUrl, SecretStr, field_validator

from connector.sdk import AdapterSettings

SiteId = Literal["MLB", "MLA", "MLM", "MLC", "MCO", "MLU", "MPE", "MEC"]


@dataclass(frozen=True, slots=True)
class Site:
    """One country's marketplace.

    ``me1_service`` is what dispatches by the seller's own carrier are reported under (page
    "Estados de órdenes ME1"; no number is published where it is 0).
    """

    currency: str
    country: str
    auth_host: str
    me1_service: int = 0


# Only the Brazilian consent host is on a page we could read; the others follow its pattern.
SITES: dict[str, Site] = {
    "MLB": Site("BRL", "BRA", "auth.mercadolivre.com.br", 11),
    "MLA": Site("ARS", "ARG", "auth.mercadolibre.com.ar", 154),
    "MLM": Site("MXN", "MEX", "auth.mercadolibre.com.mx", 231876),
    "MLC": Site("CLP", "CHL", "auth.mercadolibre.cl", 282578),
    "MCO": Site("COP", "COL", "auth.mercadolibre.com.co", 282579),
    "MLU": Site("UYU", "URY", "auth.mercadolibre.com.uy", 282604),
    "MPE": Site("PEN", "PER", "auth.mercadolibre.com.pe", 361180),
    "MEC": Site("USD", "ECU", "auth.mercadolibre.com.ec"),
}

# ISO 3166 alpha-2, which addresses come with, to the alpha-3 that the hub speaks.
COUNTRIES = {
    "BR": "BRA",
    "AR": "ARG",
    "MX": "MEX",
    "CL": "CHL",
    "CO": "COL",
    "UY": "URY",
    "PE": "PER",
    "EC": "ECU",
}


class MercadoLivreSettings(AdapterSettings):
    """One seller's account on one site."""

    site: SiteId = Field("MLB", title="Site", description="The country: MLB is Brazil.")
    user_id: str = Field(
        title="Seller's user id",
        pattern=r"^[0-9]{1,20}$",
        description="A number; My account, or what `connection authorize` says it is.",
    )
    api_url: HttpUrl = Field(
        HttpUrl("https://api.mercadolibre.com"),
        title="API address",
        description="Another one only to try things out.",
    )
    auth_url: HttpUrl | None = Field(
        None,
        title="Consent address",
        description="Empty: the site's own. Another one only to try things out.",
    )
    listing_type: str = Field(
        "gold_special",
        title="Listing type",
        description="gold_special (Clássico) or gold_pro (Premium): they cost different fees.",
    )
    condition: Literal["new", "used", "not_specified"] = Field(
        "new", title="Condition", description="Of everything this connection lists."
    )
    shipping_mode: Literal["me2", "me1", "custom", "not_specified"] = Field(
        "me2", title="Shipping mode", description="me2: Mercado Livre's own logistics."
    )
    free_shipping: bool = Field(
        False, title="Free shipping", description="Paid by the seller; some prices demand it."
    )
    local_pick_up: bool = Field(
        False, title="Buyers may collect", description="At the address of the account."
    )
    warranty_type: str = Field("", title="Warranty", description='"Garantia do vendedor", say.')
    warranty_time: str = Field("", title="Warranty time", description='"90 dias", say.')
    manufacturing_days: int = Field(
        0, ge=0, le=365, title="Manufacturing time", description="Days; 0: ready to ship."
    )
    official_store_id: int | None = Field(
        None, title="Official store", description="Its number, for brands that have one."
    )
    stock_at: Literal["item", "selling_address", "seller_warehouse"] = Field(
        "item",
        title="Where stock is kept",
        description=(
            "item: the listing. selling_address: beside Full stock. seller_warehouse: accounts"
            " with several origins; `connection check` says which one the account needs."
        ),
    )
    store_id: str = Field("", title="Store", description="For seller_warehouse.")
    network_node_id: str = Field("", title="Network node", description="For seller_warehouse.")
    invoices: Literal["auto", "attach", "off"] = Field(
        "auto",
        title="Invoices",
        description=(
            "auto: Brazilian NF-e unlock the label where the logistics ask for it, all others are"
            " attached for the buyer. attach: always attach. off: send none."
        ),
    )
    order_value: Literal["paid", "sold"] = Field(
        "paid",
        title="Value of orders in VTEX",
        description=(
            "paid: what the buyer pays, coupons and instalment fees included. sold: goods,"
            " shipping and taxes, whoever pays for coupons and instalments."
        ),
    )
    cancel_reason: str = Field(
        "OUT_OF_STOCK",
        title="Reason for cancelling",
        description="Told to Mercado Livre where no word of `cancel_reasons` fits.",
    )
    cancel_reasons: dict[str, str] = Field(
        default_factory=dict,
        title="Reasons by word",
        description='Words in VTEX\'s reason to Mercado Livre\'s: {"endereço": "WRONG_..."}.',
    )
    poll_by: Literal["date_created", "date_last_updated"] = Field(
        "date_created",
        title="Poll orders by",
        description="date_last_updated is in use, but on no official page: try it first.",
    )
    category_roots: tuple[str, ...] = Field(
        (), title="Branches of the category tree", description="Empty: all of it, which is slow."
    )
    buyer_mail_domain: str = Field(
        "mercadolivre.invalid",
        pattern=r"^[a-z0-9.-]+\.[a-z]{2,}$",
        title="Domain of buyers' addresses",
        description=(
            "Mercado Livre tells nobody's mail address and VTEX wants one: the buyer's number at"
            " this domain. One under .invalid reaches nobody."
        ),
    )
    warehouse_id: str = Field(
        "", title="VTEX warehouse that stands for Full", description="For orders shipped by Full."
    )

    @field_validator("cancel_reason")
    @classmethod
    def _shouted(cls, value: str) -> str:
        if not value.replace("_", "").isalpha() or value != value.upper():
            raise ValueError("is no reason of Mercado Livre's: they look like OUT_OF_STOCK")
        return value

    @property
    def here(self) -> Site:
        """The site's own facts."""
        return SITES[self.site]


class MercadoLivreApp(AdapterSettings):
    """The application that all connections share (Mercado Livre's developer portal)."""

    client_id: str = Field(
        title="App id", pattern=r"^[0-9]{1,30}$", description="Developer portal, My applications."
    )
    client_secret: SecretStr = Field(
        title="App secret", description="Beside the App id; a new one ends every consent."
    )
