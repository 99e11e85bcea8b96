"""What a merchant tells of one operator: the account, and the choices the operator made."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, HttpUrl, SecretStr

from connector.sdk import AdapterSettings


class ShippingFlow(StrEnum):
    """How the operator wants to be told that an order was shipped."""

    AUTO = "auto"
    ORDER = "order"
    SHIPMENTS = "shipments"


class OfferText(StrEnum):
    """What stands in an offer's own description."""

    NONE = "none"
    DESCRIPTION = "description"
    FULL = "full"


class MiraklSettings(AdapterSettings):
    """One shop on one operator's Mirakl."""

    base_url: HttpUrl = Field(
        title="API address", description="https://<operator>.mirakl.net, told by the operator."
    )
    api_key: SecretStr = Field(
        title="Shop API key", description="Seller back office, your name, API key."
    )
    shop_id: int | None = Field(
        default=None, title="Shop id", description="Only where the key sees several shops."
    )

    # --- offers -----------------------------------------------------------------------------------

    state_code: str = Field(
        default="11",
        min_length=1,
        title="Offer condition",
        description="The operator's code for a new product (OF61); 11 in Mirakl's own examples.",
    )
    logistic_class: str = Field(
        default="",
        title="Logistic class",
        description="Code (SH31); empty: the operator's default.",
    )
    leadtime_to_ship: int | None = Field(
        default=None,
        ge=0,
        title="Days until shipping",
        description="Empty: the operator's default.",
    )
    min_quantity_alert: int | None = Field(
        default=None, ge=0, title="Stock alert", description="Mirakl mails below this stock."
    )
    product_tax_code: str = Field(
        default="", title="Product tax code", description="Only where the operator collects taxes."
    )
    offer_text: OfferText = Field(
        default=OfferText.NONE,
        title="Offer description",
        description="Nothing, VTEX's description, or title and description.",
    )
    offer_fields: dict[str, str] = Field(
        default_factory=dict,
        title="Custom offer fields",
        description="Code and value (AF01), the same for every offer.",
    )
    show_list_price: bool = Field(
        default=False,
        title="Show the list price",
        description="Send VTEX's list price as the price and the price as a discount. Operators "
        "that want discounts to have dates refuse it.",
    )
    channels: tuple[str, ...] = Field(
        default=(),
        title="Channels",
        description="Sales channels (CH11) that get the same price; empty: the default price only.",
    )
    warehouse_code: str = Field(
        default="", title="Warehouse", description="Stock is this warehouse's; empty: the shop's."
    )

    # --- products ---------------------------------------------------------------------------------

    reference_type: str = Field(
        default="EAN",
        min_length=1,
        title="Product reference",
        description="What the operator calls the reference by which products are known.",
    )
    own_reference_type: str = Field(
        default="",
        title="Reference of products without EAN",
        description="A reference type of the operator's that takes the seller's SKU; empty: a SKU "
        "without a valid EAN cannot be offered.",
    )
    create_products: bool = Field(
        default=False,
        title="Create unknown products",
        description="Send products that the operator does not know (P41). Map categories and "
        "attributes first.",
    )
    update_products: bool = Field(
        default=False,
        title="Send changed products",
        description="Send a product again when its content changes in VTEX (P41).",
    )
    operator_format: bool = Field(
        default=True,
        title="Operator's file format",
        description="The columns are the operator's attribute codes (PM11).",
    )
    product_columns: dict[str, str] = Field(
        default_factory=dict,
        title="Product columns",
        description="Which column takes category, sku, group, title, description, brand, ean, "
        "reference, image: see the adapter's README for the defaults; an empty value leaves the "
        "column out.",
    )

    # --- orders -----------------------------------------------------------------------------------

    wait_for_address: bool = Field(
        default=True,
        title="Wait for the buyer's address",
        description="Operators may hide it until the order is paid: it is placed in VTEX once it "
        "shows.",
    )
    document_field: str = Field(
        default="",
        title="Field of the buyer's document",
        description="Code of the custom order field with the buyer's CPF or CNPJ, where there is "
        "one.",
    )
    neighborhood_line: str = Field(
        default="",
        pattern="^(street_2|additional_info|)$",
        title="Neighbourhood line",
        description="street_2 or additional_info, where the operator puts the neighbourhood there.",
    )
    operator_warehouses: dict[str, str] = Field(
        default_factory=dict,
        title="Orders the operator ships",
        description="Code of a fulfilment centre of the operator's, and the VTEX warehouse that "
        "stands for it.",
    )
    shipping_flow: ShippingFlow = Field(
        default=ShippingFlow.AUTO,
        title="Shipping",
        description="order: one parcel per order (OR23, OR24). shipments: several (ST01). auto: "
        "what the platform says (PC01).",
    )
    carriers: dict[str, str] = Field(
        default_factory=dict,
        title="Carriers",
        description="VTEX's carrier and the operator's code for it (SH21); others go by name.",
    )
    ship_when_invoiced: bool = Field(
        default=False,
        title="Ship without tracking",
        description="An invoiced order counts as shipped though no tracking number is known.",
    )
    cancel_reason: str = Field(
        default="",
        title="Reason of cancellations",
        description="Code (RE01, type CANCELATION); empty: orders are cancelled without a reason.",
    )
    refund_reason: str = Field(
        default="",
        title="Reason of refunds",
        description="Code (RE01, type REFUND); empty: nothing that was shipped is refunded.",
    )
    document_type: str = Field(
        default="",
        title="Document type of invoices",
        description="Code (DO01), CUSTOMER_INVOICE at many operators; empty: no document is sent.",
    )
    fetch_invoice: bool = Field(
        default=True,
        title="Fetch the invoice's PDF",
        description="Where VTEX has a link to the invoice's PDF, that file is sent.",
    )
    invoice_sheet: bool = Field(
        default=True,
        title="Invoice sheet",
        description="Where there is no PDF, send one page that states number, access key and "
        "value, and says that it is not the invoice.",
    )
    invoice_number_field: str = Field(
        default="",
        title="Field of the invoice number",
        description="Code of a custom order field (OR31) that takes it.",
    )
    invoice_key_field: str = Field(
        default="",
        title="Field of the NF-e key",
        description="Code of a custom order field (OR31) that takes it.",
    )
