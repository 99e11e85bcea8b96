"""The operator's catalog: categories, attributes, known products, and files of new ones."""

from __future__ import annotations

from typing import Any

from adapters.mirakl.market.base import problem
from adapters.mirakl.market.forms import form_parts, rows_of_csv, uploaded
from adapters.mirakl.market.imports import Apply, ImportSide, Row, created
from adapters.mirakl.market.state import SimImport, SimProduct, stamp
from connector.sdk import Request, Response, json_response
from connector.sdk.testing.simulator import route


class CatalogSide(ImportSide):
    """Everything below ``/api/products``, and the structure of the catalog."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self.products: dict[str, SimProduct] = {}
        self._by_reference: dict[tuple[str, str], str] = {}

    # --- structure --------------------------------------------------------------------------------

    @route("GET", "/api/hierarchies")
    async def h11(self, request: Request) -> Response:
        """The tree."""
        del request
        parents = {code: parent for code, _, parent in self.operator.categories}

        def level(code: str) -> int:
            return 1 + level(parents[code]) if parents[code] else 1

        rows = [
            {"code": code, "label": label, "parent_code": parent, "level": level(code),
             "label_translations": [{"locale": "en", "value": label}]}
            for code, label, parent in self.operator.categories
        ]  # fmt: skip
        return json_response({"hierarchies": rows})

    @route("GET", "/api/products/attributes")
    async def pm11(self, request: Request) -> Response:
        """Attributes of a category and of those above it."""
        parents = {code: parent for code, _, parent in self.operator.categories}
        line, code = {""}, request.query.get("hierarchy", "")
        while code:
            line.add(code)
            code = parents.get(code, "")
        every = "hierarchy" not in request.query
        rows = [one for one in self.operator.attributes if every or one["hierarchy_code"] in line]
        return json_response({"attributes": rows})

    @route("GET", "/api/values_lists")
    async def vl11(self, request: Request) -> Response:
        """Lists of values."""
        wanted = request.query.get("code")
        rows = [
            {
                "code": code,
                "label": code,
                "label_translations": [],
                "values": [
                    {"code": value, "label": label, "label_translations": []}
                    for value, label in values
                ],
            }
            for code, values in self.operator.lists.items()
            if wanted in (None, code)
        ]
        return json_response({"values_lists": rows})

    # --- products ---------------------------------------------------------------------------------

    @route("GET", "/api/products")
    async def p31(self, request: Request) -> Response:
        """Products by their references; at most a hundred."""
        told = request.query.get("product_references", "")
        if not told:
            return problem(400, "product_references: must not be empty")
        rows = []
        for reference in told.split(",")[:100]:
            kind, _, value = reference.partition("|")
            product = self.product_by(kind, value)
            if product is not None:
                rows.append(
                    {
                        "product_id": value,
                        "product_id_type": kind,
                        "product_sku": product.sku,
                        "product_title": product.title,
                        "category_code": product.category,
                        "category_label": product.category,
                    }
                )
        return json_response({"products": rows, "total_count": len(rows)})

    def product_by(self, kind: str, value: str) -> SimProduct | None:
        """The product a reference stands for; some EANs the operator has always known."""
        sku = self._by_reference.get((kind, value))
        if sku is None and kind == "EAN" and self._always_known(value):
            return self._add(f"MKP-{value}", {"title": f"Product {value}"}, {"EAN": value})
        return self.products.get(sku) if sku else None

    def _always_known(self, ean: str) -> bool:
        return ean.isdecimal() and int(ean[-3:-1]) < 100 * self.settings.known_share

    def _add(self, sku: str, data: dict[str, str], references: dict[str, str]) -> SimProduct:
        product = SimProduct(
            sku=sku,
            title=data.get("title", ""),
            category=data.get("category") or min(self.operator.leaves),
            references=references,
            data=data,
        )
        self.products[sku] = product
        for kind, value in references.items():
            self._by_reference[kind, value] = sku
        return product

    @route("POST", "/api/products/imports")
    async def p41(self, request: Request) -> Response:
        """A file of products."""
        content = uploaded(request)
        if content is None:
            return problem(400, "file: must not be null")
        fields = {part.name: part.content.decode() for part in form_parts(request)}
        if fields.get("operator_format") != "true":
            return problem(400, "operator_format: the shop has no format of its own")
        rows: list[Row] = [*rows_of_csv(content)]
        return created(self.take_in("P41", rows, content))

    def lines_of(self, kind: str) -> Apply:
        """What a line of such a file does."""
        return self._product_line if kind == "P41" else super().lines_of(kind)

    def _product_line(self, one: SimImport, line: int, row: Row) -> None:
        category = str(row.get("category") or "")
        rules = (
            (bool(row.get("shop_sku")), "The attribute shop_sku is required"),
            (bool(row.get("title")), "The attribute title is required"),
            (category in self.operator.leaves, f"The category {category} does not exist"),
        )
        why = [words for kept, words in rules if not kept]
        if why:
            one.bad_lines.append((line, row, "; ".join(why)))
            return
        references = {
            "EAN": str(row.get("ean") or ""),
            "SELLER_REF": str(row.get("seller_ref") or ""),
        }
        told = {kind: value for kind, value in references.items() if value}
        known = next((found for kind, value in told.items()
                      if (found := self._by_reference.get((kind, value)))), "")  # fmt: skip
        data = {name: str(value) for name, value in row.items() if value}
        self._add(known or f"MKP-{row['shop_sku']}", data, told)
        one.updated, one.inserted = one.updated + bool(known), one.inserted + (not known)

    # --- files of products ------------------------------------------------------------------------

    def state_of(self, one: SimImport) -> str:
        """Products pass through more states than offers."""
        if one.kind != "P41":
            return super().state_of(one)
        now = self.now()
        if one.finished and one.failed:
            return "TRANSFORMATION_FAILED"
        if one.finished:
            return "COMPLETE"
        if one.sent_at is not None and one.sent_at <= now:
            return "SENT"
        if one.running_at is not None and one.running_at <= now:
            return "TRANSFORMATION_RUNNING"
        return "TRANSFORMATION_WAITING"

    @route("GET", "/api/products/imports/{number}")
    async def p42(self, request: Request, number: str) -> Response:
        """How far a file of products is."""
        del request
        one = self.known_import("P41", number)
        if isinstance(one, Response):
            return one
        done = one.finished and not one.failed
        good = len(one.rows) - len(one.errors) - len(one.bad_lines)
        told: Row = {
            "import_id": int(one.number),
            "import_status": self.state_of(one),
            "date_created": stamp(one.created_at),
            "shop_id": self.settings.shop_id,
            "has_error_report": done and bool(one.errors),
            "has_new_product_report": done and bool(one.inserted),
            "has_transformation_error_report": done and bool(one.bad_lines),
            "has_transformed_file": done,
            "transform_lines_read": len(one.rows) if done else 0,
            "transform_lines_in_error": len(one.bad_lines) if done else 0,
            "transform_lines_in_success": len(one.rows) - len(one.bad_lines) if done else 0,
            "transform_lines_with_warning": 0,
        }
        if done:
            told["integration_details"] = {
                "rejected_products": len(one.errors),
                "products_successfully_synchronized": good,
            }
        if one.failed and one.finished:
            told["reason_status"] = "The file could not be transformed"
        return json_response(told)

    @route("GET", "/api/products/imports/{number}/error_report")
    async def p44(self, request: Request, number: str) -> Response:
        """Products that the operator rejected."""
        del request
        one = self.known_import("P41", number)
        return one if isinstance(one, Response) else self._product_report(one.errors)

    @route("GET", "/api/products/imports/{number}/transformation_error_report")
    async def p47(self, request: Request, number: str) -> Response:
        """Lines that could not be transformed."""
        del request
        one = self.known_import("P41", number)
        return one if isinstance(one, Response) else self._product_report(one.bad_lines)

    @route("GET", "/api/products/imports/{number}/new_product_report")
    async def p45(self, request: Request, number: str) -> Response:
        """Products that are new."""
        del request
        one = self.known_import("P41", number)
        if isinstance(one, Response):
            return one
        wrong = {line for line, _, _ in (*one.errors, *one.bad_lines)}
        rows = [(n, row, "") for n, row in enumerate(one.rows, 2) if n not in wrong]
        return self._product_report(rows)

    def _product_report(self, rows: list[tuple[int, Row, str]]) -> Response:
        return self.report(rows, first=False, kind="application/octet-stream")
