"""What the adapter says about itself: fields, errors and doubts, for its generated documents."""

from __future__ import annotations

from connector.sdk import FieldRule, KnownError, Need

FIELDS = (
    FieldRule(field="content.sku", market="attributes.SELLER_SKU", need=Need.MANDATORY),
    FieldRule(
        field="content.title",
        market="title, or family_name for accounts on user products",
        transformation="blanks joined; cut between words to the category's max_title_length",
        need=Need.MANDATORY,
        buybox=True,
    ),
    FieldRule(
        field="content.description",
        market="description.plain_text",
        transformation="tags, entities and emoji taken out; cut to 50,000 characters",
        need=Need.RECOMMENDED,
    ),
    FieldRule(
        field="content.images",
        market="pictures[].source",
        transformation="the first ones, as many as the category's max_pictures_per_item",
        need=Need.MANDATORY,
        buybox=True,
    ),
    FieldRule(
        field="content.market_category",
        market="category_id",
        transformation="by the connection's mapping; it must be a leaf",
        need=Need.MANDATORY,
    ),
    FieldRule(
        field="content.eans",
        market="attributes.GTIN",
        transformation="the first one; its check digit must be right",
        need=Need.BY_CATEGORY,
        buybox=True,
    ),
    FieldRule(field="content.brand", market="attributes.BRAND", need=Need.BY_CATEGORY, buybox=True),
    FieldRule(
        field="content.market_attributes",
        market="attributes[]",
        transformation="by the connection's mapping; units follow the value",
        need=Need.BY_CATEGORY,
        buybox=True,
    ),
    FieldRule(
        field="content.package",
        market="attributes.SELLER_PACKAGE_HEIGHT, _WIDTH, _LENGTH, _WEIGHT",
        transformation="rounded up to whole centimetres and grams",
        need=Need.RECOMMENDED,
    ),
    FieldRule(
        field="terms.price_minor",
        market="price",
        transformation="minor units to a number of the site's currency",
        need=Need.MANDATORY,
        buybox=True,
    ),
    FieldRule(
        field="terms.currency",
        market="currency_id",
        transformation="must be the site's",
        need=Need.MANDATORY,
    ),
    FieldRule(
        field="terms.stock",
        market="available_quantity, or the stock of the user product (setting stock_at)",
        transformation="at most 99,999; 0 pauses the listing",
        need=Need.OPTIONAL,
        buybox=True,
    ),
    FieldRule(field="settings.listing_type", market="listing_type_id", buybox=True),
    FieldRule(field="settings.condition", market="condition"),
    FieldRule(field="settings.shipping_mode", market="shipping.mode", buybox=True),
    FieldRule(field="settings.free_shipping", market="shipping.free_shipping", buybox=True),
    FieldRule(field="settings.local_pick_up", market="shipping.local_pick_up"),
    FieldRule(field="settings.warranty_type", market="sale_terms.WARRANTY_TYPE"),
    FieldRule(field="settings.warranty_time", market="sale_terms.WARRANTY_TIME"),
    FieldRule(field="settings.manufacturing_days", market="sale_terms.MANUFACTURING_TIME"),
    FieldRule(field="settings.official_store_id", market="official_store_id"),
    FieldRule(
        field="invoice.xml",
        market="the body of invoice_data, or the file fiscal_document",
        transformation="as it is, at most 1 MB",
        need=Need.MANDATORY,
    ),
    FieldRule(
        field="invoice.number",
        market="the file's name",
        transformation="percent-encoded, so that it can be read back",
    ),
    FieldRule(
        field="tracking.number", market="tracking_number", transformation="ME1 shipments alone"
    ),
    FieldRule(field="tracking.url", market="tracking_url", transformation="ME1 shipments alone"),
    FieldRule(field="tracking.courier", market="payload.comment"),
)

ERRORS = (
    KnownError(
        error="*invalid_grant*",
        means="consent ended: password or app secret changed, access revoked, or six months over",
        do="authorize again: connector connection authorize, as the account's owner",
    ),
    KnownError(
        error="*consent was given by account*",
        means="somebody was logged in as another account when giving consent",
        do="log out of Mercado Livre, log in as the account of the connection, authorize again",
    ),
    KnownError(
        error="item.attributes.missing_required*",
        means="the category demands an attribute that the SKU has not (cause 147)",
        do="map the attribute (connector mapping status) or fill in the specification in VTEX",
    ),
    KnownError(
        error="*not a leaf*",
        means="the category has subcategories: nothing can be listed in it (cause 126)",
        do="map the VTEX category to one of its subcategories",
    ),
    KnownError(
        error="*price automation*",
        means="Mercado Livre sets this listing's price itself; stock is still taken",
        do="switch the automation off on Mercado Livre, or leave the price to it",
    ),
    KnownError(
        error="EAN * is not valid*",
        means="the EAN's length or check digit is wrong (causes 7710, 7711)",
        do="correct the EAN of the SKU in VTEX",
    ),
    KnownError(
        error="*must be in plain text*",
        means="the description has characters that Mercado Livre refuses (cause 398)",
        do="take them out of the product's description in VTEX",
    ),
    KnownError(
        error="*minimum*price*",
        means="the price is below the category's least (cause 109)",
        do="raise the price in the trade policy, or do not offer the SKU here",
    ),
    KnownError(
        error="*came without its XML*",
        means="the invoice told to VTEX has no embedded document: there is nothing to hand over",
        do="let the ERP send embeddedInvoice; import this one on Mercado Livre by hand",
    ),
    KnownError(
        error="*own biller must be used*",
        means="for this order's logistics Mercado Livre issues the invoice",
        do="nothing in the hub; check the biller on Mercado Livre",
    ),
    KnownError(
        error="*keeps one XML per order*",
        means="the order was invoiced in parts, and Mercado Livre takes one document of a kind",
        do="attach the other invoices on Mercado Livre as PDF, or invoice orders whole",
    ),
    KnownError(
        error="*not_fulfilled_feedback_in_order_expired*",
        means="it is too late to say that the order will not be fulfilled",
        do="settle it with the buyer on Mercado Livre",
    ),
    KnownError(
        error="*Invalid scopes*",
        means="the application lacks the permission for the operation that is named",
        do="grant the permission in Mercado Livre's developer portal, then authorize again",
    ),
    KnownError(
        error="the application is not accepted*",
        means="its id or secret is wrong, or Mercado Livre has blocked or disabled it",
        do="look at the application in Mercado Livre's developer portal",
    ),
    KnownError(
        error="*does not let the account do this*",
        means="Mercado Livre refuses (403) what is the account's own: its orders, its listings",
        do="see on Mercado Livre whether account and application are active; authorize again",
    ),
    KnownError(
        error="*does not allow this now*",
        means="Mercado Livre refuses (access_denied) and does not say for whose sake",
        do="if it lasts: check that the listing is the account's, and its state on Mercado Livre",
    ),
    KnownError(
        error="*does not show shipment*",
        means="a paid order's shipment is refused (403): without it nothing can be placed",
        do="if it lasts: check the order on Mercado Livre, and the application's permissions",
    ),
    KnownError(
        error="forbidden*",
        means="Mercado Livre lets nobody but somebody else do this to the listing or order",
        do="check that it is this account's, and may be changed on Mercado Livre",
    ),
    KnownError(
        error="the order is cancelled on Mercado Livre*",
        means="its parcel was reported as sent or delivered, but the order is cancelled there",
        do="settle it with the buyer on Mercado Livre",
    ),
    KnownError(
        error="*has no SELLER_SKU*",
        means="the listing was made elsewhere, without the SKU that tells it apart",
        do="set its SKU on Mercado Livre to VTEX's SKU id",
    ),
    KnownError(
        error="*several origins*",
        means="the account's stock is kept at places of the seller's, not with the listing",
        do="set stock_at=seller_warehouse with store_id and network_node_id",
    ),
    KnownError(
        error="item.attribute.missing_conditional_required*",
        means="for this product the category demands an attribute, often the GTIN (cause 7810)",
        do="fill in the EAN in VTEX, or map the attribute that is named",
    ),
    KnownError(
        error="item.available_quantity.not_modifiable*",
        means="the account's stock is not kept with the listing",
        do="run connection check: it says which value of stock_at the account needs",
    ),
    KnownError(
        error="category_roots: * is no root category",
        means="the setting names a category that is no root of the site's tree",
        do="name roots alone, or leave category_roots empty",
    ),
    KnownError(
        error="*is not this account's",
        means="an event named an order that the seller's token cannot read: a stray, or forged",
        do="nothing, unless the order is yours: then check user_id",
    ),
    KnownError(
        error="claim *it names no order*",
        means="a claim is about a payment that belongs to no order of the hub's",
        do="see to the claim on Mercado Livre",
    ),
    KnownError(
        error="*cannot be read",
        means="Mercado Livre told an amount or a date in a form nobody knows",
        do="report it with the order's number; place the order by hand meanwhile",
    ),
    KnownError(
        error="bad_request: *",
        means="Mercado Livre refused what was handed in for an order, in its own words",
        do="settle it on Mercado Livre: an invoice that is not authorised, a step out of turn",
    ),
)

_UNVERIFIED = (
    """Filtering orders by date_last_updated is on no official page: orders are polled by
    date_created with an overlap of three hours; changes come by events, missed events and the
    hub's own second looks. The setting poll_by switches it on for those who tried it.""",
    """The paths and limits of the NF-e import (invoice_data, 1 MB) come from working code of third
    parties: a refusal is shown with its words, and the invoice becomes a task for a person.""",
    """Whether a document's name is kept as it was sent: where it is not, a repeated document is
    refused as a duplicate, which counts as done.""",
    """What a second feedback is answered with: the order's own feedback is looked at before, and a
    refusal that says neither already nor exists becomes a task for a person.""",
    """Consent hosts of all countries but Brazil follow its pattern; auth_url overrides them.""",
    """How coupons and instalment fees show in payments: what the parts do not explain is left
    unexplained, and an order whose amounts contradict each other is not placed but parked.""",
    """How soon a new listing is found by its SKU: a creation whose answer was lost is looked for
    before it is repeated, and whoever finds two listings of one SKU always takes the same one.""",
    """How many calls are allowed, but for one endpoint: our own ceilings are 60 a second per
    connection and 100 per application, and a 429 stops everybody who shares it.""",
    """How a stranger's order is refused: a 403 to one order refuses that order and is never taken
    for ended credentials, for nothing signs the events that name it.""",
    """Whether a label has an address that opens without a token: no page names one, so labels are
    not handed to VTEX. They are printed in the seller's Mercado Livre account, or fetched from
    /shipment_labels with the seller's token; the tracking hint tells the parcel's number alone.""",
    """Which body a 403 has when the application, the account or the address we call from is
    blocked: Invalid scopes and the codes of tokens and applications stop the connection,
    access_denied is tried again, and any other refuses the one thing that was asked for.""",
    """Whether the title of a listing that has sold may be changed: it is sent only where it
    differs, and a refusal is shown with its words.""",
)
UNVERIFIED = tuple(" ".join(text.split()) for text in _UNVERIFIED)
