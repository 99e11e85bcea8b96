"""SKU context: the JSON of the main catalog read (protocol 4.3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connector.sandbox.vtexsim.state import Catalog, Image, Product, Sku, Spec

NO_REAL_SIZE = {
    "realCubicWeight": 0.0,
    "realHeight": 0.0,
    "realLength": 0.0,
    "realWeight": 0.0,
    "realWidth": 0.0,
}


def sku_context(catalog: Catalog, sku: Sku, account: str) -> bytes:
    """The context of a SKU as bytes; made once, and again after a change."""
    if sku.context is None:
        product = catalog.products[sku.product_id]
        whole = {
            **_identity(catalog, sku, product, account),
            **_logistics(sku),
            **_media(sku, account),
            **_classification(catalog, sku, product),
            **_rest(sku, product),
        }
        sku.context = json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()
    return sku.context


def image_url(image: Image, account: str, size: str = "") -> str:
    """Where a picture is served; ``size`` like ``-55-55`` resizes it (protocol 1.1)."""
    return (
        f"http://{account}.vteximg.com.br/arquivos/ids/{image.file_id}{size}/{image.name}.jpg"
        f"?v=637{image.file_id}"
    )


def cubic_weight(sku: Sku) -> float:
    """Volume weight of the packed SKU."""
    height, length, width = sku.size_cm
    return round(height * length * width / 6000, 4)


def _identity(catalog: Catalog, sku: Sku, product: Product, account: str) -> dict[str, Any]:
    brand = catalog.brands[product.brand_id]
    thumb = image_url(sku.images[0], account, "-55-55") if sku.images else None
    return {
        "Id": sku.id,
        "ProductId": product.id,
        "NameComplete": f"{product.name} {sku.name}",
        "ComplementName": "",
        "ProductName": product.name,
        "ProductDescription": product.description,
        "ProductRefId": product.ref_id,
        "TaxCode": product.tax_code,
        "SkuName": sku.name,
        "IsActive": sku.active,
        "IsTransported": True,
        "IsInventoried": True,
        "IsGiftCardRecharge": False,
        "ImageUrl": thumb,
        "DetailUrl": f"/{product.name.lower().replace(' ', '-')}/p",
        "CSCIdentification": None,
        "BrandId": str(brand.id),
        "BrandName": brand.name,
        "IsBrandActive": brand.active,
    }


def _logistics(sku: Sku) -> dict[str, Any]:
    height, length, width = sku.size_cm
    return {
        "Dimension": {
            "cubicweight": cubic_weight(sku),
            "height": height,
            "length": length,
            "weight": sku.weight_g,
            "width": width,
        },
        "RealDimension": NO_REAL_SIZE,
        "ManufacturerCode": sku.manufacturer_code,
        "IsKit": bool(sku.kit),
        "KitItems": [{"Id": part.sku_id, "Amount": part.amount} for part in sku.kit],
        "Services": [],
        "Categories": [],
    }


def _media(sku: Sku, account: str) -> dict[str, Any]:
    return {
        "Attachments": [],
        "Collections": [],
        "SkuSellers": [
            {
                "SellerId": "1",
                "StockKeepingUnitId": sku.id,
                "SellerStockKeepingUnitId": str(sku.id),
                "IsActive": True,
                "FreightCommissionPercentage": 0.0,
                "ProductCommissionPercentage": 0.0,
            }
        ],
        "SalesChannels": sorted(sku.policies),
        "Images": [
            {"ImageUrl": image_url(each, account), "ImageName": each.label, "FileId": each.file_id}
            for each in sku.images
        ],
        "Videos": [],
    }


def _specs(catalog: Catalog, specs: list[Spec]) -> list[dict[str, Any]]:
    rows = []
    for spec in specs:
        field = catalog.fields[spec.field_id]
        value_id = field.value_id(spec.value)
        rows.append(
            {
                "FieldId": field.id,
                "FieldName": field.name,
                "FieldValueIds": [] if value_id is None else [value_id],
                "FieldValues": [spec.value],
                "IsFilter": not field.on_sku,
                "FieldGroupId": field.group_id,
                "FieldGroupName": field.group_name,
            }
        )
    return rows


def _classification(catalog: Catalog, sku: Sku, product: Product) -> dict[str, Any]:
    path = catalog.path(product.category_id)
    ids = [str(category.id) for category in path]
    # Leaf first, as VTEX lists them; the dictionary below is deliberately unordered.
    full = [f"/{'/'.join(ids[: depth + 1])}/" for depth in reversed(range(len(ids)))]
    return {
        "CategoriesFullPath": full,
        "SkuSpecifications": _specs(catalog, sku.specs),
        "ProductSpecifications": _specs(catalog, product.specs),
        "ProductClustersIds": ",".join(product.clusters),
        "PositionsInClusters": dict.fromkeys(product.clusters, 1),
        "ProductClusterNames": product.clusters,
        "ProductClusterHighlights": {},
        "ProductCategoryIds": full[0],
        "IsDirectCategoryActive": True,
        "ProductGlobalCategoryId": None,
        "ProductCategories": {str(category.id): category.name for category in reversed(path)},
    }


def _rest(sku: Sku, product: Product) -> dict[str, Any]:
    codes = {"Ean": sku.eans[0] if sku.eans else "", "RefId": sku.ref_id}
    codes = {name: value for name, value in codes.items() if value}
    return {
        "CommercialConditionId": 1,
        "RewardValue": 0.0,
        "AlternateIds": codes,
        "AlternateIdValues": list(codes.values()),
        "EstimatedDateArrival": None,
        "MeasurementUnit": sku.unit,
        "UnitMultiplier": sku.multiplier,
        "InformationSource": "Indexer",
        "ModalType": None,
        "KeyWords": "",
        "ReleaseDate": "2024-01-06T00:00:00",
        "ProductIsVisible": product.visible,
        "ShowIfNotAvailable": True,
        "IsProductActive": product.active,
        "ProductFinalScore": 0,
    }
