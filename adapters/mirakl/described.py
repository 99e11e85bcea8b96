"""What merchants are told of Mirakl: ``connector adapter docs mirakl`` makes DOCS.md of it."""

from __future__ import annotations

from connector.sdk import FieldRule, KnownError, Need

_DECIMALS = "minor units to a decimal: 19990 to 199.90"
_ALWAYS = "sent with every whole offer, for Mirakl resets what is not sent"

FIELDS = (
    FieldRule(
        field="content.sku",
        market="shop_sku (OF24), offer-sku (STO01, PRI01)",
        transformation="none; a semicolon, quote or line end is refused",
        need=Need.MANDATORY,
    ),
    FieldRule(
        field="content.title",
        market="product_columns.title (P41), description (OF24, offer_text full)",
        transformation="outer spaces removed",
        need=Need.MANDATORY,
    ),
    FieldRule(
        field="content.eans",
        market="product_id with product_id_type EAN",
        transformation="the first with a right check digit; without one the offer is refused, "
        "unless own_reference_type is set: then the SKU stands in its place",
        need=Need.RECOMMENDED,
    ),
    FieldRule(
        field="content.description",
        market="product_columns.description (P41), description (OF24, offer_text)",
        transformation="HTML tags removed; 10,000 characters of a product, 2,000 of an offer",
        need=Need.RECOMMENDED,
    ),
    FieldRule(field="content.brand", market="product_columns.brand (P41)"),
    FieldRule(field="content.reference", market="product_columns.reference (P41)"),
    FieldRule(
        field="content.product_id",
        market="product_columns.group (P41)",
        transformation="SKUs of one VTEX product are one group of variants",
    ),
    FieldRule(
        field="content.images",
        market="product_columns.image (P41): image, image_2 ... image_10",
        transformation="the first ten",
        need=Need.RECOMMENDED,
    ),
    FieldRule(
        field="content.market_category",
        market="product_columns.category (P41)",
        transformation="the connection's category mapping; only products the operator does not "
        "know need it",
        need=Need.BY_CATEGORY,
    ),
    FieldRule(
        field="content.market_attributes",
        market="the operator's attribute codes (PM11)",
        transformation="the connection's attribute mapping; value codes where the attribute has a "
        "list (VL11)",
        need=Need.BY_CATEGORY,
    ),
    FieldRule(
        field="terms.price_minor",
        market="price (OF24, PRI01); discount.price where the list price is shown",
        transformation=_DECIMALS,
        need=Need.MANDATORY,
        buybox=True,
    ),
    FieldRule(
        field="terms.list_price_minor",
        market="price, where show_list_price is set",
        transformation=_DECIMALS,
        buybox=False,
    ),
    FieldRule(
        field="terms.currency",
        market="none: the shop has one currency",
        transformation="decides where the decimal point stands",
        need=Need.MANDATORY,
    ),
    FieldRule(
        field="terms.stock",
        market="quantity (OF24, STO01)",
        transformation="none; zero takes the offer off sale",
        need=Need.MANDATORY,
        buybox=True,
    ),
    FieldRule(field="settings.state_code", market="state_code", transformation=_ALWAYS),
    FieldRule(field="settings.logistic_class", market="logistic_class", transformation=_ALWAYS),
    FieldRule(
        field="settings.leadtime_to_ship",
        market="leadtime_to_ship",
        transformation=_ALWAYS,
        buybox=True,
    ),
    FieldRule(
        field="settings.min_quantity_alert", market="min_quantity_alert", transformation=_ALWAYS
    ),
    FieldRule(field="settings.product_tax_code", market="product_tax_code", transformation=_ALWAYS),
    FieldRule(
        field="settings.offer_fields", market="offer_additional_fields[]", transformation=_ALWAYS
    ),
    FieldRule(
        field="settings.channels",
        market="all_prices[].channel_code (OF24), channels (PRI01)",
        transformation="every channel gets the same price",
    ),
    FieldRule(field="settings.warehouse_code", market="warehouse-code (STO01)"),
    FieldRule(
        field="invoice.number",
        market="file_name (OR74), invoice_reference (ST01), invoice_number_field (OR31)",
        transformation="in the file's name: letters, digits, dot, dash and underscore",
        need=Need.MANDATORY,
    ),
    FieldRule(
        field="invoice.key",
        market="invoice_key_field (OR31), and the invoice sheet",
        need=Need.OPTIONAL,
    ),
    FieldRule(
        field="invoice.url",
        market="files (OR74): the PDF behind it, where it is one",
        transformation="fetched over https only, at most 10 MB",
        need=Need.RECOMMENDED,
    ),
    FieldRule(field="invoice.value_minor", market="the invoice sheet", transformation=_DECIMALS),
    FieldRule(field="invoice.issued_at", market="the invoice sheet"),
    FieldRule(
        field="invoice.items",
        market="shipment_lines[] (ST01)",
        transformation="SKU and quantity to the order's lines; nothing told: all that is left",
    ),
    FieldRule(
        field="invoice.xml",
        market="none: Mirakl takes no XML (OR74)",
        transformation="not sent",
    ),
    FieldRule(
        field="tracking.courier",
        market="carrier_code where carriers maps it, else carrier_name",
        transformation="compared without case and outer spaces",
        need=Need.RECOMMENDED,
    ),
    FieldRule(field="tracking.number", market="tracking_number", need=Need.RECOMMENDED),
    FieldRule(
        field="tracking.url",
        market="carrier_url (OR23), tracking_url (ST01, ST23)",
        transformation="only of carriers that are not registered",
    ),
    FieldRule(field="tracking.invoice_number", market="invoice_reference (ST01)"),
)

ERRORS = (
    KnownError(
        error="*does not accept the API key*",
        means="the shop's API key was replaced or withdrawn",
        do="Make a new key in Mirakl's back office (your name, API key), put it into the "
        "connection",
    ),
    KnownError(
        error="*lacks the role*",
        means="the key's user may not do this, or shop_id is another shop's",
        do="Use the key of a user with the role Shop administrator; check shop_id",
    ),
    KnownError(
        error="the operator has no *",
        means="a code in the connection's settings is not one of this operator's",
        do="Choose one of the codes that the message lists",
    ),
    KnownError(
        error="*product does not exist*",
        means="the operator no longer knows the EAN",
        do="Check the EAN; ask the operator for the product, or let the connection create products",
    ),
    KnownError(
        error="the operator does not know the product *",
        means="no product of the operator's has this EAN, and products are not created",
        do="Ask the operator for the product, or set create_products once categories are mapped",
    ),
    KnownError(
        error="the category is not mapped*",
        means="a product that is to be created has no category of the operator's",
        do="Map its VTEX category (connector mapping)",
    ),
    KnownError(
        error="*category * does not exist*",
        means="the mapped category is gone, or is none that takes products",
        do="Read the categories again and map to one without children",
    ),
    KnownError(
        error="*attribute * is required*",
        means="the operator's category asks for an attribute that is not mapped",
        do="Map it (connector mapping status lists what is missing)",
    ),
    KnownError(
        error="*brand is not authorized*",
        means="the operator decides who may sell which brand",
        do="Ask the operator for the authorization",
    ),
    KnownError(
        error="*not sold here*",
        means="the operator refuses this product",
        do="Take it out of the trade policy, or ask the operator",
    ),
    KnownError(
        error="the report of product import * can only be read in the back office",
        means="the operator's error report is no CSV file, or has no SKUs",
        do="Read it in Mirakl's back office (My inventory, Track imports), mend the products",
    ),
    KnownError(
        error="Mirakl refused: *",
        means="Mirakl refused a whole call; its own words follow",
        do="Read them; most name a field of the settings",
    ),
    KnownError(
        error="the order is * on Mirakl",
        means="it was refused or cancelled there before this could be done",
        do="Nothing: the hub takes the cancellation over",
    ),
    KnownError(
        error="Mirakl does not let the seller cancel *",
        means="the operator's workflow allows no cancellation in this state",
        do="Ask the operator to cancel it",
    ),
    KnownError(
        error="the order was shipped, and no reason for refunds is set*",
        means="VTEX cancelled what has left already",
        do="Refund it in Mirakl's back office, or set refund_reason",
    ),
    KnownError(
        error="part of the order was refunded already*",
        means="somebody gave back part of the money before",
        do="Refund the rest in Mirakl's back office",
    ),
    KnownError(
        error="*There is no document type of this code*",
        means="document_type is not one of the operator's (DO01)",
        do="Set one of the operator's codes; connection check lists them",
    ),
    KnownError(
        error="*not a registered carrier*",
        means="a code in carriers is not one of the operator's (SH21)",
        do="Correct it; connection check lists them",
    ),
    KnownError(
        error="*units left to ship*",
        means="the parcels on Mirakl already hold all units of the line",
        do="Look at the order's shipments in the back office",
    ),
    KnownError(
        error="the order's * cannot be read",
        means="Mirakl sent an order in a shape that this version does not know",
        do="Place it by hand and report it to whoever runs the hub",
    ),
    KnownError(
        error="all of the order is in parcels of other invoices*",
        means="the tracking's invoice has no units left on Mirakl",
        do="Check the invoice number of the tracking in VTEX",
    ),
)

UNVERIFIED = (
    "How many offers one import may hold is not published: 5,000 are sent at most.",
    "The most rows on a page (100) is told by third parties only: the rows that came are counted.",
    (
        "Operators often hide the address until the order is paid; the specification does not say "
        "when: an order without address is placed once it shows or may be shipped."
    ),
    (
        "The columns of stock, price and product error reports are not published: SKU and reason "
        "are looked for by name, then by place; a report without SKUs parks its items for a person."
    ),
    (
        "Whether amounts of a line shrink when part of it is cancelled is not told: a partly "
        "cancelled order is never placed by itself, a person is asked."
    ),
    (
        "How promotions show in prices is not told: what the lines and the total say decides, and "
        "amounts that do not add up are never placed."
    ),
    "The shape of plain error answers is not published: they are read as text.",
    (
        "PM11 and VL11 may be asked every hour; that is counted for each category and list here, "
        "which the hub remembers. A 429 is honoured."
    ),
)
