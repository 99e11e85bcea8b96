"""What merchants are told of Demo Market: ``connector adapter docs demo`` makes DOCS.md of it."""

from __future__ import annotations

from connector.sdk import FieldRule, KnownError, Need

_CENTS = 'cents to decimal text: 19990 to "199.90"'

FIELDS = (
    FieldRule(
        field="content.sku", market="seller_sku", transformation="to text", need=Need.MANDATORY
    ),
    FieldRule(field="content.product_id", market="product_id", transformation="to text"),
    FieldRule(
        field="content.title",
        market="title",
        transformation="outer spaces removed; more than 120 characters are refused, not cut",
        need=Need.MANDATORY,
        how="product name and SKU name, together at most 120 characters",
    ),
    FieldRule(
        field="content.description",
        market="description",
        transformation="HTML tags removed, entities resolved, cut to 5000 characters",
        need=Need.RECOMMENDED,
    ),
    FieldRule(field="content.brand", market="brand", need=Need.RECOMMENDED),
    FieldRule(
        field="content.eans",
        market="ean",
        transformation="the first one; 8, 12, 13 or 14 digits with a right check digit",
        need=Need.RECOMMENDED,
    ),
    FieldRule(field="content.reference", market="reference"),
    FieldRule(
        field="content.images", market="images", transformation="the first 12", need=Need.MANDATORY
    ),
    FieldRule(
        field="content.market_category",
        market="category_id",
        transformation="the connection's category mapping",
        need=Need.MANDATORY,
    ),
    FieldRule(
        field="content.attributes",
        market="attributes[]",
        transformation="SKU specifications are marked variation",
    ),
    FieldRule(
        field="content.market_attributes",
        market="market_attributes[]",
        transformation="the connection's attribute mapping",
        need=Need.BY_CATEGORY,
    ),
    FieldRule(field="content.package", market="package", transformation="centimetres and grams"),
    FieldRule(field="content.measurement_unit", market="unit.measure"),
    FieldRule(field="content.unit_multiplier", market="unit.multiplier"),
    FieldRule(
        field="terms.price_minor",
        market="price",
        transformation=_CENTS,
        need=Need.MANDATORY,
        buybox=True,
    ),
    FieldRule(
        field="terms.list_price_minor",
        market="list_price",
        transformation=f"{_CENTS}; raised to price where it is lower",
    ),
    FieldRule(field="terms.currency", market="currency", need=Need.MANDATORY),
    FieldRule(
        field="terms.stock",
        market="stock",
        transformation="cut to 99999; 0 for a SKU the simulation leaves out",
        need=Need.MANDATORY,
        buybox=True,
    ),
    FieldRule(
        field="invoice.number",
        market="number",
        transformation="percent-encoded in paths",
        need=Need.MANDATORY,
    ),
    FieldRule(
        field="invoice.value_minor", market="value", transformation=_CENTS, need=Need.MANDATORY
    ),
    FieldRule(field="invoice.currency", market="currency"),
    FieldRule(
        field="invoice.issued_at", market="issued_at", transformation="ISO 8601 with its zone"
    ),
    FieldRule(field="invoice.key", market="access_key"),
    FieldRule(field="invoice.url", market="url"),
    FieldRule(field="invoice.xml", market="xml"),
    FieldRule(field="invoice.items", market="items[].seller_sku, items[].quantity"),
    FieldRule(
        field="tracking.invoice_number",
        market="number in the path",
        transformation="percent-encoded",
        need=Need.MANDATORY,
    ),
    FieldRule(field="tracking.courier", market="courier"),
    FieldRule(field="tracking.number", market="number"),
    FieldRule(field="tracking.url", market="url"),
    FieldRule(field="tracking.dispatched_at", market="dispatched_at"),
)

ERRORS = (
    KnownError(
        error="A title has 1 to 120 characters",
        means="the product's and the SKU's name together are too long, or empty",
        do="shorten the names in VTEX; the SKU is sent again by itself",
    ),
    KnownError(
        error="At least one image is needed",
        means="the SKU has no image that Demo Market could load",
        do="add an image to the SKU in VTEX",
    ),
    KnownError(
        error="EAN*is not valid",
        means="its length or check digit is wrong",
        do="correct the EAN of the SKU in VTEX, or remove it",
    ),
    KnownError(
        error="is no leaf of the category tree",
        means="the category is mapped to one that takes no listings",
        do="map it to a category without children (connector mapping)",
    ),
    KnownError(
        error="is required",
        means="the category demands an attribute that the SKU does not tell",
        do="fill the specification in VTEX, and map it (connector mapping)",
    ),
    KnownError(
        error="has an unknown value",
        means="the category takes only values of its own list for this attribute",
        do="map the value to one of the list (connector mapping)",
    ),
    KnownError(
        error="The item did not pass moderation",
        means="Demo Market's moderators took offence at the content",
        do="change the content, or ask Demo Market's seller support why",
    ),
    KnownError(
        error="There is no listing of SKU",
        means="somebody removed the listing on Demo Market",
        do="nothing: the hub lists it again",
    ),
    KnownError(
        error="The cart was shipped and cannot be cancelled",
        means="a cancellation came after the parcel had left",
        do="let the buyer return the goods, and settle it on Demo Market",
    ),
    KnownError(
        error="The cart was cancelled",
        means="the buyer cancelled before the step arrived",
        do="stop the parcel if it has not left",
    ),
    KnownError(
        error="is known with other content",
        means="an invoice of that number was handed over before, with other data",
        do="issue the invoice under a new number",
    ),
    KnownError(
        error="ships this cart itself",
        means="tracking was sent for a cart that Demo Market's own carrier brings",
        do="nothing: the marketplace tracks its own parcels",
    ),
    KnownError(
        error="cannot be read",
        means="Demo Market sent an order with amounts or dates that mean nothing",
        do="tell Demo Market's support the order's number; replay it once it is corrected",
    ),
    KnownError(
        error="the API key belongs to another seller",
        means="key and seller id of the connection do not belong together",
        do="copy both from the same seller centre into the connection",
    ),
)
