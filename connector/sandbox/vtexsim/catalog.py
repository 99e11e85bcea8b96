"""Catalog reads about SKUs (protocol 4.1, 4.3, 4.6, 4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.domain.http import Response, json_response
from connector.sandbox.vtexsim.context import cubic_weight, image_url, sku_context
from connector.sandbox.vtexsim.core import VtexCore, query
from connector.sdk.testing.simulator import route

if TYPE_CHECKING:
    from connector.domain.http import Request
    from connector.sandbox.vtexsim.state import Sku

_JSON = {"content-type": "application/json; charset=utf-8"}
_SYSTEM = "/api/catalog_system/pvt/sku"
_SKU = "/api/catalog/pvt/stockkeepingunit"


class CatalogRoom(VtexCore):
    """Answers what a connector asks about SKUs."""

    @route("GET", _SYSTEM + "/stockkeepingunitidsbysaleschannel")
    async def sku_ids_of_channel(self, request: Request) -> Response:
        """SKU ids of a trade policy, inactive ones too; pages count from 1."""
        channel = query(request, "sc")
        if not channel.isdigit():
            return json_response({"Message": "The request is invalid."}, 400)
        wanted = int(channel)
        everything = query(request, "onlyAssigned", "true").lower() == "false"
        ids = [sku.id for sku in self.catalog.skus.values() if everything or wanted in sku.policies]
        return json_response(_page(ids, request, None))

    @route("GET", _SYSTEM + "/stockkeepingunitids")
    async def sku_ids(self, request: Request) -> Response:
        """All SKU ids, at most 1000 a page."""
        return json_response(_page(list(self.catalog.skus), request, 1000))

    @route("GET", _SYSTEM + "/stockkeepingunitbyid/{sku_id}")
    async def sku_by_id(self, request: Request, sku_id: str) -> Response:
        """SKU context; ``sc`` does not narrow it."""
        del request
        return self._context(self.catalog.sku(sku_id))

    @route("GET", _SYSTEM + "/stockkeepingunitbyean/{ean}")
    async def sku_by_ean(self, request: Request, ean: str) -> Response:
        """SKU context by EAN; finds active SKUs only."""
        del request
        found = (sku for sku in self.catalog.skus.values() if sku.active and ean in sku.eans)
        return self._context(next(found, None))

    @route("GET", _SKU)
    async def sku_by_reference(self, request: Request) -> Response:
        """The raw SKU with a reference id."""
        ref_id = query(request, "RefId")
        found = (sku for sku in self.catalog.skus.values() if ref_id and sku.ref_id == ref_id)
        sku = next(found, None)
        return self._missing() if sku is None else json_response(_raw(sku))

    @route("GET", _SKU + "/{sku_id}")
    async def raw_sku(self, request: Request, sku_id: str) -> Response:
        """The SKU as the catalog stores it."""
        del request
        sku = self.catalog.sku(sku_id)
        return self._missing() if sku is None else json_response(_raw(sku))

    @route("GET", _SKU + "/{sku_id}/ean")
    async def sku_eans(self, request: Request, sku_id: str) -> Response:
        """All EANs of a SKU."""
        del request
        sku = self.catalog.sku(sku_id)
        return self._missing() if sku is None else json_response(sku.eans)

    @route("GET", _SKU + "/{sku_id}/file")
    async def sku_files(self, request: Request, sku_id: str) -> Response:
        """Pictures of a SKU; position 0 is the main one."""
        del request
        sku = self.catalog.sku(sku_id)
        if sku is None:
            return self._missing()
        account = self.settings.account
        rows = [
            {
                "Id": 700_000 + image.file_id,
                "ArchiveId": image.file_id,
                "SkuId": sku.id,
                "Name": image.name,
                "IsMain": position == 0,
                "Label": image.label,
                "Text": None,
                "Url": image_url(image, account),
                "FileLocation": image_url(image, account).removeprefix("http://"),
                "Position": position,
            }
            for position, image in enumerate(sku.images)
        ]
        return json_response(rows)

    @route("GET", _SKU + "/{sku_id}/specification")
    async def sku_specifications(self, request: Request, sku_id: str) -> Response:
        """Specification values of a SKU."""
        del request
        sku = self.catalog.sku(sku_id)
        if sku is None:
            return self._missing()
        rows = [
            {
                "Id": sku.id * 100 + at,
                "SkuId": sku.id,
                "FieldId": spec.field_id,
                "FieldValueId": self.catalog.fields[spec.field_id].value_id(spec.value),
                "Text": spec.value,
            }
            for at, spec in enumerate(sku.specs)
        ]
        return json_response(rows)

    @route("GET", "/api/catalog/pvt/stockkeepingunitkit")
    async def kit_parts(self, request: Request) -> Response:
        """Components of a kit: an array for several, an object for one (protocol 4.9)."""
        sku = self.catalog.sku(query(request, "parentSkuId"))
        if sku is None:
            return self._missing()
        rows = [
            {
                "Id": sku.id * 10 + at,
                "StockKeepingUnitParent": sku.id,
                "StockKeepingUnitId": part.sku_id,
                "Quantity": part.amount,
                "UnitPrice": 1.0,
            }
            for at, part in enumerate(sku.kit)
        ]
        return json_response(rows[0] if len(rows) == 1 else rows)

    def _context(self, sku: Sku | None) -> Response:
        if sku is None:
            return self._missing()
        return Response(200, _JSON, sku_context(self.catalog, sku, self.settings.account))

    def _missing(self) -> Response:
        # The body of a catalog 404 is not specified; a bare string is one of those seen.
        return json_response("SKU not found.", 404)


def _page(ids: list[int], request: Request, most: int | None) -> list[int]:
    size_text, page_text = query(request, "pagesize"), query(request, "page")
    if not (size_text.isdigit() or page_text.isdigit()) and most is None:
        return ids
    size = int(size_text) if size_text.isdigit() else (most or 1000)
    size = min(size, most) if most else size
    page = max(1, int(page_text)) if page_text.isdigit() else 1
    return ids[(page - 1) * size : page * size]


def _raw(sku: Sku) -> dict[str, Any]:
    height, length, width = sku.size_cm
    return {
        "Id": sku.id,
        "ProductId": sku.product_id,
        "IsActive": sku.active,
        "ActivateIfPossible": sku.active,
        "Name": sku.name,
        "RefId": sku.ref_id,
        "PackagedHeight": height,
        "PackagedLength": length,
        "PackagedWidth": width,
        "PackagedWeightKg": sku.weight_g,
        "Height": None,
        "Length": None,
        "Width": None,
        "WeightKg": None,
        "CubicWeight": cubic_weight(sku),
        "IsKit": bool(sku.kit),
        "CreationDate": "2024-01-06T00:00:00",
        "RewardValue": None,
        "EstimatedDateArrival": None,
        "ManufacturerCode": sku.manufacturer_code,
        "CommercialConditionId": 1,
        "MeasurementUnit": sku.unit,
        "UnitMultiplier": sku.multiplier,
        "ModalType": None,
        "KitItensSellApart": False,
        "Videos": [],
    }
