"""What merchants are told of Acme Market: DOCS.md is made of it."""

from __future__ import annotations

from connector.sdk import FieldRule, KnownError, Need

FIELDS = (
    FieldRule(field="content.sku", market="sku", need=Need.MANDATORY),
    FieldRule(field="content.title", market="title", need=Need.MANDATORY),
    FieldRule(field="content.description", market="description", need=Need.RECOMMENDED),
    FieldRule(
        field="terms.price_minor",
        market="price",
        transformation="cents to decimal text",
        need=Need.MANDATORY,
        buybox=True,
    ),
    FieldRule(field="terms.stock", market="stock", need=Need.MANDATORY),
)
ERRORS = (
    KnownError(
        error="not allowed",
        means="Acme Market does not sell this product",
        do="take the product out of the connection's scope",
    ),
)
