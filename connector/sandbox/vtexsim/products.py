"""Catalog reads about products, categories, brands and trade policies (protocol 4.4-4.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.domain.http import Response, json_response
from connector.sandbox.vtexsim.core import VtexCore, query
from connector.sdk.testing.simulator import route

if TYPE_CHECKING:
    from connector.domain.http import Request
    from connector.sandbox.vtexsim.state import Product, Spec, TradePolicy

_PVT = "/api/catalog/pvt"
_SYSTEM = "/api/catalog_system"
_WINDOW = 250


class ProductRoom(VtexCore):
    """Answers what a connector asks about everything around a SKU."""

    @route("GET", _PVT + "/product/{product_id}")
    async def product(self, request: Request, product_id: str) -> Response:
        """One product."""
        del request
        product = self._product(product_id)
        if product is None:
            return json_response("Product not found.", 404)
        return json_response({**self._product_json(product), "Score": 0})

    @route("GET", _SYSTEM + "/pvt/products/productget/{product_id}")
    async def product_get(self, request: Request, product_id: str) -> Response:
        """One product with the trade policies it is assigned to."""
        del request
        product = self._product(product_id)
        if product is None:
            return json_response("Product not found.", 404)
        return json_response(
            {**self._product_json(product), "ListStoreId": self._policies(product)}
        )

    @route("GET", _PVT + "/product/{product_id}/salespolicy")
    async def product_policies(self, request: Request, product_id: str) -> Response:
        """Trade policies of a product."""
        del request
        product = self._product(product_id)
        if product is None:
            return json_response("Product not found.", 404)
        return json_response(
            [{"ProductId": product.id, "StoreId": each} for each in self._policies(product)]
        )

    @route("GET", _PVT + "/product/{product_id}/specification")
    async def product_specifications(self, request: Request, product_id: str) -> Response:
        """Specification values of a product."""
        del request
        product = self._product(product_id)
        rows = [
            {
                "Id": product.id * 100 + at,
                "ProductId": product.id,
                "FieldId": spec.field_id,
                "FieldValueId": self.catalog.fields[spec.field_id].value_id(spec.value),
                "Text": spec.value,
            }
            for at, spec in enumerate(product.specs)
        ] if product else []  # fmt: skip
        return json_response(rows, 200 if product else 404)

    @route("GET", _SYSTEM + "/pvt/products/{product_id}/specification")
    async def product_specification_values(self, request: Request, product_id: str) -> Response:
        """Specification values of a product, by name."""
        del request
        product = self._product(product_id)
        rows = [self._named(spec) for spec in product.specs] if product else []
        return json_response(rows, 200 if product else 404)

    @route("GET", _SYSTEM + "/pvt/products/GetProductAndSkuIds")
    async def product_and_sku_ids(self, request: Request) -> Response:
        """SKU ids by product, in windows of at most 250."""
        first = max(1, int(query(request, "_from", "1") or 1))
        last = min(int(query(request, "_to", str(first + 19))), first + _WINDOW - 1)
        wanted = query(request, "categoryId")
        products = [
            each
            for each in self.catalog.products.values()
            if not wanted
            or wanted in {str(node.id) for node in self.catalog.path(each.category_id)}
        ]
        window = products[first - 1 : last]
        return json_response(
            {
                "data": {str(each.id): each.sku_ids for each in window},
                "range": {"total": len(products), "from": first, "to": last},
            }
        )

    @route("GET", _SYSTEM + "/pub/category/tree/{levels}")
    async def category_tree(self, request: Request, levels: str) -> Response:
        """The category tree down to a depth."""
        del request
        roots = [each.id for each in self.catalog.categories.values() if each.parent is None]
        return json_response([self._node(each, int(levels)) for each in roots])

    @route("GET", _PVT + "/category/{category_id}")
    async def category(self, request: Request, category_id: str) -> Response:
        """One category, with its path where asked for."""
        node = self.catalog.categories.get(int(category_id) if category_id.isdigit() else 0)
        if node is None:
            return json_response("Category not found.", 404)
        body: dict[str, Any] = {
            "Id": node.id,
            "Name": node.name,
            "FatherCategoryId": node.parent,
            "Title": node.name,
            "Description": "",
            "Keywords": "",
            "IsActive": True,
            "ShowInStoreFront": True,
            "ShowBrandFilter": True,
            "ActiveStoreFrontLink": True,
            "GlobalCategoryId": 0,
            "StockKeepingUnitSelectionMode": "LIST",
            "Score": None,
            "LinkId": node.name.lower(),
            "HasChildren": bool(node.children),
        }
        if query(request, "includeTreePath").lower() == "true":
            path = self.catalog.path(node.id)
            body["TreePath"] = [each.name for each in path]
            body["TreePathIds"] = [each.id for each in path]
            body["TreePathLinkIds"] = [each.name.lower() for each in path]
        return json_response(body)

    @route("GET", _SYSTEM + "/pvt/brand/list")
    async def brands(self, request: Request) -> Response:
        """All brands."""
        del request
        return json_response(
            [
                {
                    "id": brand.id,
                    "name": brand.name,
                    "isActive": brand.active,
                    "title": brand.name,
                    "metaTagDescription": "",
                    "imageUrl": None,
                }
                for brand in self.catalog.brands.values()
            ]
        )

    @route("GET", _PVT + "/brand/{brand_id}")
    async def brand(self, request: Request, brand_id: str) -> Response:
        """One brand."""
        del request
        brand = self.catalog.brands.get(int(brand_id) if brand_id.isdigit() else 0)
        if brand is None:
            return json_response("Brand not found.", 404)
        return json_response(
            {"Id": brand.id, "Name": brand.name, "Active": brand.active, "Score": None}
        )

    @route("GET", _SYSTEM + "/pub/specification/field/listByCategoryId/{category_id}")
    async def fields_of_category(self, request: Request, category_id: str) -> Response:
        """Specification fields of a category."""
        del request
        return json_response(
            [
                {
                    "Name": each.name,
                    "CategoryId": int(category_id),
                    "FieldId": each.id,
                    "IsActive": True,
                    "IsStockKeepingUnit": each.on_sku,
                }
                for each in self.catalog.fields.values()
            ]
        )

    @route("GET", _SYSTEM + "/pub/specification/fieldGet/{field_id}")
    async def field(self, request: Request, field_id: str) -> Response:
        """One specification field: a combo where it has allowed values, else text."""
        del request
        field = self.catalog.fields.get(int(field_id) if field_id.isdigit() else 0)
        if field is None:
            return json_response("Field not found.", 404)
        return json_response(
            {
                "Name": field.name,
                "CategoryId": None,
                "FieldId": field.id,
                "IsActive": True,
                "IsRequired": False,
                "FieldTypeId": 5 if field.values else 1,
                "FieldTypeName": "Combo" if field.values else "Text",
                "FieldValueId": None,
                "Description": None,
                "IsStockKeepingUnit": field.on_sku,
                "IsFilter": not field.on_sku,
                "IsOnProductDetails": True,
                "Position": 1,
                "IsWizard": False,
                "IsTopMenuLinkActive": False,
                "IsSideMenuLinkActive": False,
                "DefaultValue": None,
                "FieldGroupId": field.group_id,
                "FieldGroupName": field.group_name,
            }
        )

    @route("GET", _SYSTEM + "/pub/specification/fieldvalue/{field_id}")
    async def field_values(self, request: Request, field_id: str) -> Response:
        """Allowed values of a specification field."""
        del request
        field = self.catalog.fields.get(int(field_id) if field_id.isdigit() else 0)
        rows = [
            {"FieldValueId": field.value_id(each), "Value": each, "IsActive": True, "Position": at}
            for at, each in enumerate(field.values)
        ] if field else []  # fmt: skip
        return json_response(rows, 200 if field else 404)

    @route("GET", _SYSTEM + "/pvt/saleschannel/list")
    async def sales_channels(self, request: Request) -> Response:
        """All trade policies."""
        del request
        return json_response([_policy_json(each) for each in self.catalog.policies.values()])

    @route("GET", _SYSTEM + "/pub/saleschannel/{channel}")
    async def sales_channel(self, request: Request, channel: str) -> Response:
        """One trade policy."""
        del request
        policy = self.catalog.policies.get(int(channel) if channel.isdigit() else 0)
        if policy is None:
            return json_response("Sales channel not found.", 404)
        return json_response(_policy_json(policy))

    def _product(self, product_id: str) -> Product | None:
        return self.catalog.products.get(int(product_id)) if product_id.isdigit() else None

    def _policies(self, product: Product) -> list[int]:
        skus = (self.catalog.skus[each] for each in product.sku_ids)
        return sorted({channel for sku in skus for channel in sku.policies})

    def _named(self, spec: Spec) -> dict[str, Any]:
        field = self.catalog.fields[spec.field_id]
        return {"Value": [spec.value], "Id": field.id, "Name": field.name}

    def _node(self, category_id: int, levels: int) -> dict[str, Any]:
        node = self.catalog.categories[category_id]
        children = [self._node(each, levels - 1) for each in node.children] if levels > 0 else []
        return {
            "id": node.id,
            "name": node.name,
            "hasChildren": bool(node.children),
            "url": f"https://{self.settings.account}.example/{node.name.lower()}",
            "children": children,
            "Title": node.name,
            "MetaTagDescription": "",
        }

    def _product_json(self, product: Product) -> dict[str, Any]:
        return {
            "Id": product.id,
            "Name": product.name,
            "DepartmentId": self.catalog.path(product.category_id)[0].id,
            "CategoryId": product.category_id,
            "BrandId": product.brand_id,
            "LinkId": product.name.lower().replace(" ", "-"),
            "RefId": product.ref_id,
            "IsVisible": product.visible,
            "Description": product.description,
            "DescriptionShort": "",
            "ReleaseDate": "2024-01-06T00:00:00",
            "KeyWords": "",
            "Title": product.name,
            "IsActive": product.active,
            "TaxCode": product.tax_code,
            "MetaTagDescription": "",
            "SupplierId": None,
            "ShowWithoutStock": True,
            "AdWordsRemarketingCode": None,
            "LomadeeCampaignCode": None,
        }


def _policy_json(policy: TradePolicy) -> dict[str, Any]:
    return {
        "Id": policy.id,
        "Name": policy.name,
        "IsActive": policy.active,
        "ProductClusterId": None,
        "CountryCode": "BRA",
        "CultureInfo": "pt-BR",
        "TimeZone": "E. South America Standard Time",
        "CurrencyCode": "BRL",
        "CurrencySymbol": "R$",
        "CurrencyLocale": 1046,
        "CurrencyFormatInfo": {
            "CurrencyDecimalDigits": 2,
            "CurrencyDecimalSeparator": ",",
            "CurrencyGroupSeparator": ".",
            "CurrencyGroupSize": 3,
            "StartsWithCurrencySymbol": True,
        },
        "Origin": None,
        "Position": None,
        "ConditionRule": None,
        "CurrencyDecimalDigits": 2,
    }
