"""What the kit lists, sells and ships."""

from __future__ import annotations

from datetime import UTC, datetime

from connector.domain.marketorder import Invoice, Tracking
from connector.domain.offer import Attribute, Content, Dimensions, Offer, PriceStock

PRICE_MINOR = 19_990
STOCK = 10


def offer(
    sku: str, *, price_minor: int = PRICE_MINOR, stock: int = STOCK, **content: object
) -> Offer:
    """A whole offer; ``content`` replaces fields of its content."""
    fields = {
        "sku": sku,
        "product_id": f"P{sku}",
        "title": f"Trail Shoe Acme Blue 42 {sku}",
        "description": "<p>Light &amp; quick.</p><p>For wet paths.</p>",
        "brand": "Acme",
        "eans": (ean(sku),),
        "reference": f"REF-{sku}",
        "images": ("https://img.example/1.jpg", "https://img.example/2.jpg"),
        "category_path": ("Fashion", "Running shoes"),
        "category_id": "12",
        "attributes": (
            Attribute(name="Size", values=("42",), variation=True),
            Attribute(name="Material", values=("Leather",)),
        ),
        "package": Dimensions(height_cm=12, width_cm=22, length_cm=33, weight_g=850),
        **content,
    }
    return Offer(
        content=Content.model_validate(fields),
        terms=PriceStock(
            sku=sku,
            price_minor=price_minor,
            list_price_minor=price_minor,
            currency="BRL",
            stock=stock,
        ),
    )


def ean(sku: str) -> str:
    """A GTIN-13 of its own for every SKU, with the right check digit (GS1 General Specifications,
    check digit calculation).
    """
    body = f"789{sum(ord(letter) * 31**at for at, letter in enumerate(sku)) % 10**9:09}"
    weighted = sum(int(digit) * (1, 3)[at % 2] for at, digit in enumerate(body))
    return f"{body}{-weighted % 10}"


def invoice(number: str, value_minor: int, currency: str, sku: str, quantity: int) -> Invoice:
    """An invoice over one line."""
    return Invoice(
        number=number,
        value_minor=value_minor,
        currency=currency,
        issued_at=datetime(2026, 1, 2, 9, 30, tzinfo=UTC),
        key="35260112345678000190550010000000011000000017",
        url="https://nfe.example/1",
        xml="<nfe/>",
        items=((sku, quantity),),
    )


def tracking(invoice_number: str, number: str = "BR123456789XX") -> Tracking:
    """A parcel of that invoice."""
    return Tracking(
        invoice_number=invoice_number,
        courier="Correios",
        number=number,
        url="https://tracking.example/BR123456789XX",
        dispatched_at="2026-01-02",
    )
