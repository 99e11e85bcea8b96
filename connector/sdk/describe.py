"""What an adapter declares about its data, so that its documentation can be generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Need(StrEnum):
    """How much the marketplace needs a field (protocol 10.6, H-DOC-02)."""

    MANDATORY = "mandatory"
    """Without it the offer is refused: ``Adapter.validate`` says so."""
    BY_CATEGORY = "by category"
    """Some categories demand it."""
    RECOMMENDED = "recommended"
    """Taken without it; with it the offer stands better (BuyBox, search)."""
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """One row of the field mapping table (protocol 10.6, H-DOC-01).

    ``field`` is the hub's name of the data: ``content.title``, ``terms.price_minor``,
    ``invoice.number``, ``tracking.courier``, or ``settings.<name>`` for what a connection's
    settings tell. The three VTEX columns follow from it (``SOURCES``); fill them in where they
    differ. ``market`` is the marketplace's own name of the field.
    """

    field: str
    market: str
    transformation: str = "none"
    need: Need = Need.OPTIONAL
    buybox: bool = False
    """Whether it counts in who wins the sale."""
    vtex: str = ""
    how: str = ""
    api: str = ""

    @property
    def group(self) -> str:
        """The first part of ``field``: content, terms, invoice, tracking or settings."""
        return self.field.partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownError:
    """One row of the table of known errors (protocol 10.6, H-DOC-04).

    ``error`` is what the log shows: the marketplace's code, or words of its message, where ``*``
    stands for anything. ``do`` is what the merchant does about it.
    """

    error: str
    means: str
    do: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where VTEX keeps a field: its name, how a merchant fills it in, the API it is read by."""

    vtex: str
    how: str
    api: str


_SKU = "Catalog: GET /api/catalog_system/pvt/sku/stockkeepingunitbyid/{id}"
_PRODUCT = "VTEX Admin, Catalog, Products: "
_SKUS = "VTEX Admin, Catalog, SKUs: "
_TERMS = "Simulation: POST /api/fulfillment/pvt/orderForms/simulation"
_POLICY = "Catalog: GET /api/catalog_system/pub/saleschannel/{id}"
_INVOICE = "Invoice notification: POST {services endpoint}/pub/orders/{id}/invoice"

SOURCES: Mapping[str, Source] = {
    "content.sku": Source("Id", "given by VTEX", _SKU),
    "content.product_id": Source("ProductId", "given by VTEX", _SKU),
    "content.title": Source("NameComplete", f"{_PRODUCT}name; {_SKUS}name", _SKU),
    "content.description": Source("ProductDescription", f"{_PRODUCT}description", _SKU),
    "content.brand": Source("BrandName", f"{_PRODUCT}brand", _SKU),
    "content.eans": Source("AlternateIds.Ean", f"{_SKUS}EAN/UPC", _SKU),
    "content.reference": Source("AlternateIds.RefId", f"{_SKUS}reference code", _SKU),
    "content.images": Source("Images[].ImageUrl", f"{_SKUS}images", _SKU),
    "content.category_path": Source("ProductCategories", f"{_PRODUCT}category", _SKU),
    "content.category_id": Source("ProductCategoryIds", f"{_PRODUCT}category", _SKU),
    "content.market_category": Source(
        "ProductCategoryIds",
        f"{_PRODUCT}category, mapped to one of the marketplace's (VTEX Mapper, connector mapping)",
        f"{_SKU}; VTEX Mapper",
    ),
    "content.attributes": Source(
        "ProductSpecifications, SkuSpecifications",
        "VTEX Admin, Catalog, Categories: specifications; values on product and SKU",
        _SKU,
    ),
    "content.market_attributes": Source(
        "ProductSpecifications, SkuSpecifications",
        "specifications, mapped to the marketplace's (VTEX Mapper, connector mapping)",
        f"{_SKU}; VTEX Mapper",
    ),
    "content.package": Source("Dimension", f"{_SKUS}packaged dimensions and weight", _SKU),
    "content.measurement_unit": Source("MeasurementUnit", f"{_SKUS}measurement unit", _SKU),
    "content.unit_multiplier": Source("UnitMultiplier", f"{_SKUS}unit multiplier", _SKU),
    "terms.sku": Source("Id", "given by VTEX", _SKU),
    "terms.market_id": Source("none", "given by the marketplace", "none"),
    "terms.price_minor": Source(
        "sellingPrice", "VTEX Admin, Prices: price table and promotions", _TERMS
    ),
    "terms.list_price_minor": Source("listPrice", "VTEX Admin, Prices: list price", _TERMS),
    "terms.currency": Source("CurrencyCode", "VTEX Admin, trade policy: currency", _POLICY),
    "terms.stock": Source(
        "stockBalance", "VTEX Admin, Inventory: warehouses of the trade policy", _TERMS
    ),
    "invoice.number": Source("invoiceNumber", "the seller's ERP, or Orders: invoice", _INVOICE),
    "invoice.value_minor": Source("invoiceValue", "the seller's ERP", _INVOICE),
    "invoice.currency": Source("CurrencyCode", "VTEX Admin, trade policy: currency", _POLICY),
    "invoice.issued_at": Source("issuanceDate", "the seller's ERP", _INVOICE),
    "invoice.key": Source("invoiceKey", "the seller's ERP: key of the fiscal document", _INVOICE),
    "invoice.url": Source("invoiceUrl", "the seller's ERP", _INVOICE),
    "invoice.xml": Source("embeddedInvoice", "the seller's ERP: fiscal document", _INVOICE),
    "invoice.items": Source("items[].id, items[].quantity", "the seller's ERP", _INVOICE),
    "tracking.invoice_number": Source("invoiceNumber", "the seller's ERP", _INVOICE),
    "tracking.courier": Source("courier", "the seller's ERP, or Orders: tracking", _INVOICE),
    "tracking.number": Source("trackingNumber", "the seller's ERP, or Orders: tracking", _INVOICE),
    "tracking.url": Source("trackingUrl", "the seller's ERP, or Orders: tracking", _INVOICE),
    "tracking.dispatched_at": Source("dispatchedDate", "the seller's ERP", _INVOICE),
}
"""The hub's data by its name: where VTEX keeps it (protocol 4.3, 5, 7.2)."""


def source_of(rule: FieldRule) -> Source:
    """The three VTEX columns of a row; what the row says itself goes first."""
    setting = Source("none", "a setting of the connection", "none")
    known = setting if rule.group == "settings" else SOURCES.get(rule.field, Source("", "", ""))
    return Source(rule.vtex or known.vtex, rule.how or known.how, rule.api or known.api)
