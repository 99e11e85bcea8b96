"""Shipments and buyers as Mercado Livre tells them (pages "Envíos", "Facturación"). Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from adapters.mercadolivre.api import MaybeMoment, Text, Wire, blank
from adapters.mercadolivre.settings import COUNTRIES
from connector.sdk import Address, Buyer, Delivery, MarketStatus, Shipment, TrackingHint

SHIPPED = {"shipped", "stale_shipped"}
STATUSES = {
    **dict.fromkeys(SHIPPED, MarketStatus.SHIPPED),
    "delivered": MarketStatus.DELIVERED,
}
"""Every other status of a shipment says nothing of how far the order is."""
WAITS_FOR_INVOICE = "invoice_pending"
_NFE_TYPES = {"drop_off", "xd_drop_off", "xd_same_day", "cross_docking"}
"""Logistics whose label an NF-e unlocks (page "Importar nota fiscal", Brazil)."""
_TROUBLE = {"not_delivered", "cancelled", "error"}


class Named(Wire):
    """Something with an id and a name."""

    id: Text = ""
    name: Text = ""

    @property
    def code(self) -> str:
        """The last part of an id such as ``BR-SP``; the name where there is none."""
        return self.id.rpartition("-")[2] or self.name


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else blank(value)


AnyNamed = Annotated[Named, BeforeValidator(_named)]


class WireAddress(Wire):
    """Where it goes."""

    street_name: Text = ""
    street_number: Text = ""
    comment: Text = ""
    zip_code: Text = ""
    neighborhood: AnyNamed = Named()
    city: AnyNamed = Named()
    state: AnyNamed = Named()
    country: AnyNamed = Named()
    latitude: float | None = None
    longitude: float | None = None


class WireDestination(Wire):
    """Who receives it, and where; hidden until the order is paid."""

    receiver_name: Text = ""
    receiver_phone: Text = ""
    shipping_address: Annotated[WireAddress, BeforeValidator(blank)] = WireAddress()

    def address(self) -> Address:
        """The same in the hub's words."""
        there = self.shipping_address
        return Address(
            receiver=self.receiver_name,
            street=there.street_name,
            number=there.street_number,
            complement=there.comment,
            neighborhood=there.neighborhood.name,
            city=there.city.name,
            state=there.state.code,
            country=COUNTRIES.get(there.country.id, there.country.id),
            postal_code=there.zip_code,
            longitude=there.longitude,
            latitude=there.latitude,
        )


class WireLogistic(Wire):
    """Whose logistics it is."""

    mode: Text = ""
    type: Text = ""


class WireLeadTime(Wire):
    """What the buyer chose."""

    class Method(Wire):
        """A shipping method."""

        name: Text = ""

    shipping_method: Annotated[Method, BeforeValidator(blank)] = Method()


class WireShipment(Wire):
    """A shipment in the new format (header ``x-format-new``)."""

    id: Annotated[Text, Field(min_length=1)]
    status: Text = ""
    substatus: Text = ""
    logistic: Annotated[WireLogistic, BeforeValidator(blank)] = WireLogistic()
    destination: Annotated[WireDestination, BeforeValidator(blank)] = WireDestination()
    lead_time: Annotated[WireLeadTime, BeforeValidator(blank)] = WireLeadTime()
    tracking_number: Text = ""
    tracking_method: Text = ""
    last_updated: MaybeMoment = None

    @property
    def delivery(self) -> Delivery:
        """Who brings it."""
        if self.logistic.type == "fulfillment":
            return Delivery.MARKETPLACE_STOCK
        return Delivery.MARKETPLACE if self.logistic.mode == "me2" else Delivery.SELLER

    @property
    def progress(self) -> MarketStatus | None:
        """How far it is on its way; None where it is not."""
        return STATUSES.get(self.status)

    @property
    def needs_nfe(self) -> bool:
        """Whether its label waits for an NF-e, or did."""
        return self.logistic.mode == "me2" and self.logistic.type in _NFE_TYPES

    @property
    def waits_for_invoice(self) -> bool:
        """Whether an NF-e is what it waits for now."""
        return self.status == "ready_to_ship" and self.substatus == WAITS_FOR_INVOICE

    def hint(self) -> TrackingHint | None:
        """Under which number a label is ready to be printed.

        The label has no address that a browser could open: ``/shipment_labels`` wants the seller's
        token (page "Mercado Envíos 2"), and no address to follow the parcel is told either.
        """
        ready = self.status == "ready_to_ship" and not self.waits_for_invoice
        if self.delivery is not Delivery.MARKETPLACE or not ready:
            return None
        return TrackingHint(
            tracking_id=self.tracking_number or self.id,
            courier=self.tracking_method or "Mercado Envios",
        )

    def carried(self) -> Shipment | None:
        """What Mercado Livre's own carrier did; the last change is when it did it."""
        if self.delivery is Delivery.SELLER or self.progress is None:
            return None
        arrived = self.progress is MarketStatus.DELIVERED
        return Shipment(
            courier=self.tracking_method or "Mercado Envios",
            tracking_number=self.tracking_number or self.id,
            shipped_at=None if arrived else self.last_updated,
            delivered_at=self.last_updated if arrived else None,
        )

    def troubles(self) -> list[str]:
        """What a person must see to."""
        if self.status not in _TROUBLE:
            return []
        why = f" ({self.substatus})" if self.substatus else ""
        return [f"shipment {self.id} is {self.status}{why}"]


class WireBilling(Wire):
    """The buyer's fiscal data: ``/orders/billing-info/{site}/{id}``."""

    class Identification(Wire):
        """A document."""

        type: Text = ""
        number: Text = ""

    class Taxes(Wire):
        """What the buyer is to the tax office."""

        class Inscriptions(Wire):
            """Registrations."""

            state_registration: Text = ""

        inscriptions: Annotated[Inscriptions, BeforeValidator(blank)] = Inscriptions()

    name: Text = ""
    last_name: Text = ""
    identification: Annotated[Identification, BeforeValidator(blank)] = Identification()
    taxes: Annotated[Taxes, BeforeValidator(blank)] = Taxes()

    @property
    def is_company(self) -> bool:
        """Whether a company bought: only its document says so in every country's answer."""
        return self.identification.type.upper() == "CNPJ"

    def buyer(self) -> Buyer:
        """The same in the hub's words."""
        document = self.identification
        if self.is_company:
            return Buyer(
                first_name=self.name,
                document=document.number,
                document_type="cnpj",
                company_name=self.name,
                company_document=document.number,
                state_registration=self.taxes.inscriptions.state_registration,
            )
        return Buyer(
            first_name=self.name,
            last_name=self.last_name,
            document=document.number,
            document_type=document.type.lower(),
        )


def read_billing(payload: object) -> WireBilling:
    """The buyer's part of the answer, wherever it is."""
    body = payload if isinstance(payload, dict) else {}
    buyer = body.get("buyer")
    inner = buyer.get("billing_info") if isinstance(buyer, dict) else None
    return WireBilling.model_validate(blank(inner or body.get("billing_info")))
