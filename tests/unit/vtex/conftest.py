"""A VTEX of canned answers, and the payloads most tests begin with."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from connector.domain.http import Request, Response, json_response
from connector.vtex.session import Session

# A busy machine is slow at times: no property here is about time.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
Answer = Response | Exception | Callable[[Request], Response]

SKU: dict[str, Any] = {
    "Id": 1001,
    "ProductId": 501,
    "NameComplete": "Trail Shoe Blue 42",
    "ComplementName": "",
    "ProductName": "Trail Shoe",
    "ProductDescription": "<p>Light shoe</p>",
    "ProductRefId": "TS-1",
    "TaxCode": "64041100",
    "SkuName": "Blue 42",
    "IsActive": True,
    "IsTransported": True,
    "IsInventoried": True,
    "IsGiftCardRecharge": False,
    "ImageUrl": "http://simstore.vteximg.com.br/arquivos/ids/900-55-55/ts.jpg",
    "DetailUrl": "/trail-shoe/p",
    "CSCIdentification": None,
    "BrandId": "77",
    "BrandName": "Acme",
    "IsBrandActive": True,
    "Dimension": {
        "cubicweight": 0.9,
        "height": 12.0,
        "length": 33.0,
        "weight": 850.0,
        "width": 22.0,
    },
    "RealDimension": {
        "realCubicWeight": 0.0,
        "realHeight": 0.0,
        "realLength": 0.0,
        "realWeight": 0.0,
        "realWidth": 0.0,
    },
    "ManufacturerCode": "",
    "IsKit": False,
    "KitItems": [],
    "Services": [],
    "Categories": [],
    "CategoriesFullPath": ["/1/12/", "/1/"],
    "Attachments": [],
    "Collections": [],
    "SkuSellers": [
        {
            "SellerId": "1",
            "StockKeepingUnitId": 1001,
            "SellerStockKeepingUnitId": "1001",
            "IsActive": True,
            "FreightCommissionPercentage": 0.0,
            "ProductCommissionPercentage": 0.0,
        }
    ],
    "SalesChannels": [1, 2],
    "Images": [
        {
            "ImageUrl": "http://simstore.vteximg.com.br/arquivos/ids/900/ts.jpg",
            "ImageName": "front",
            "FileId": 900,
        }
    ],
    "Videos": [],
    "SkuSpecifications": [
        {
            "FieldId": 31,
            "FieldName": "Size",
            "FieldValueIds": [81],
            "FieldValues": ["42"],
            "IsFilter": False,
            "FieldGroupId": 5,
            "FieldGroupName": "Variation",
        }
    ],
    "ProductSpecifications": [
        {
            "FieldId": 40,
            "FieldName": "Material",
            "FieldValueIds": [],
            "FieldValues": ["Mesh"],
            "IsFilter": True,
            "FieldGroupId": 6,
            "FieldGroupName": "General",
        }
    ],
    "ProductCategoryIds": "/1/12/",
    "IsDirectCategoryActive": True,
    "ProductGlobalCategoryId": None,
    "ProductCategories": {"12": "Running", "1": "Footwear"},
    "CommercialConditionId": 1,
    "RewardValue": 0.0,
    "AlternateIds": {"Ean": "7891234567895", "RefId": "TS-1-BL-42"},
    "AlternateIdValues": ["7891234567895", "TS-1-BL-42"],
    "EstimatedDateArrival": None,
    "MeasurementUnit": "un",
    "UnitMultiplier": 1.0,
    "InformationSource": "Indexer",
    "ModalType": None,
    "KeyWords": "",
    "ReleaseDate": "2024-01-06T00:00:00",
    "ProductIsVisible": True,
    "ShowIfNotAvailable": True,
    "IsProductActive": True,
    "ProductFinalScore": 0,
}

SLA: dict[str, Any] = {
    "id": "Normal",
    "deliveryChannel": "delivery",
    "name": "Normal",
    "deliveryIds": [
        {
            "courierId": "c1",
            "warehouseId": "w1",
            "dockId": "d1",
            "courierName": "Carrier One",
            "quantity": 1,
            "kitItemDetails": [],
        }
    ],
    "shippingEstimate": "3bd",
    "shippingEstimateDate": None,
    "lockTTL": "10d",
    "availableDeliveryWindows": [],
    "deliveryWindow": None,
    "price": 1500,
    "listPrice": 1500,
    "tax": 0,
    "pickupStoreInfo": {"isPickupStore": False, "friendlyName": None},
    "pickupPointId": None,
    "pickupDistance": 0.0,
    "transitTime": "3bd",
}

PUB: dict[str, Any] = {
    "items": [
        {
            "id": "1001",
            "requestIndex": 0,
            "quantity": 1,
            "seller": "1",
            "sellerChain": ["1"],
            "tax": 0,
            "priceValidUntil": "2027-01-01T00:00:00Z",
            "price": 19990,
            "listPrice": 24990,
            "rewardValue": 0,
            "sellingPrice": 19990,
            "offerings": [],
            "priceTags": [],
            "measurementUnit": "un",
            "unitMultiplier": 1.0,
            "parentItemIndex": None,
            "parentAssemblyBinding": None,
            "availability": "available",
            "priceDefinition": {
                "calculatedSellingPrice": 19990,
                "total": 19990,
                "sellingPrices": [{"value": 19990, "quantity": 1}],
            },
        }
    ],
    "postalCode": None,
    "country": None,
    "geoCoordinates": [],
    "logisticsInfo": [
        {
            "itemIndex": 0,
            "addressId": None,
            "selectedSla": None,
            "selectedDeliveryChannel": None,
            "quantity": 1,
            "shipsTo": ["BRA"],
            "slas": [],
            "deliveryChannels": [{"id": "delivery"}],
        }
    ],
    "messages": [],
    "pickupPoints": [],
    "totals": [{"id": "Items", "name": "Total dos Itens", "value": 19990}],
}

PVT: dict[str, Any] = {
    "items": [
        {
            "id": "1001",
            "requestIndex": 1,
            "quantity": 1,
            "seller": "1",
            "merchantName": None,
            "priceValidUntil": None,
            "price": 19990,
            "listPrice": 24990,
            "offerings": [],
            "priceTags": [],
            "measurementUnit": "un",
            "unitMultiplier": 1.0,
            "attachmentOfferings": [],
        }
    ],
    "logisticsInfo": [
        {
            "itemIndex": 0,
            "addressId": None,
            "selectedSla": None,
            "selectedDeliveryChannel": None,
            "stockBalance": 37,
            "quantity": 1,
            "shipsTo": ["BRA"],
            "slas": [SLA],
            "deliveryChannels": [{"id": "delivery", "stockBalance": 37}],
        }
    ],
    "postalCode": "12345-000",
    "country": "BRA",
    "geoCoordinates": [],
    "pickupPoints": [],
    "messages": [
        {
            "code": "ORD027",
            "text": "Item 9999 não encontrado ou indisponível",
            "status": "error",
            "fields": {"id": "9999", "itemIndex": "0"},
        }
    ],
}

ORDER: dict[str, Any] = {
    "orderId": "XPT-MP-778899",
    "sequence": "500123",
    "marketplaceOrderId": "MP-778899",
    "marketplaceServicesEndpoint": "https://hub.example/vtex/v1/t1/s3cr3t",
    "sellerOrderId": "XPT-MP-778899",
    "origin": "Fulfillment",
    "affiliateId": "XPT",
    "salesChannel": "2",
    "merchantName": None,
    "status": "ready-for-handling",
    "workflowIsInError": False,
    "statusDescription": "Pronto para o manuseio",
    "value": 21490,
    "creationDate": "2026-08-20T12:00:00.0000000+00:00",
    "lastChange": "2026-08-20T12:31:00.0000000+00:00",
    "orderGroup": None,
    "isCompleted": True,
    "allowCancellation": True,
    "cancelReason": None,
    "invoicedDate": None,
    "totals": [
        {"id": "Items", "name": "Total dos Itens", "value": 19990},
        {"id": "Shipping", "name": "Total do Frete", "value": 1500},
    ],
    "items": [
        {
            "uniqueId": "A1",
            "id": "1001",
            "productId": "501",
            "quantity": 1,
            "seller": "1",
            "name": "Trail Shoe Blue 42",
            "price": 19990,
            "listPrice": 24990,
            "sellingPrice": 19990,
            "sellerSku": "1001",
            "unitMultiplier": 1.0,
            "measurementUnit": "un",
        }
    ],
    "packageAttachment": {"packages": []},
    "changesAttachment": None,
    "cancellationData": None,
    "customData": None,
    "openTextField": None,
}


@dataclass
class FakeVtex:
    """Answers by (method, end of path); keeps what it was asked."""

    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def on(self, method: str, path: str, answer: Any, status: int = 200) -> FakeVtex:
        """Give this answer from now on; plain values become JSON."""
        if not isinstance(answer, (Response, Exception)) and not callable(answer):
            answer = json_response(answer, status)
        self.answers.pop((method, path), None)
        self.answers[method, path] = answer
        return self

    async def send(self, request: Request) -> Response:
        """Answer as told; an unexpected question fails the test."""
        self.asked.append(request)
        for (method, path), answer in reversed(self.answers.items()):
            if request.method == method and request.url.endswith(path):
                if isinstance(answer, Exception):
                    raise answer
                return answer if isinstance(answer, Response) else answer(request)
        raise AssertionError(f"nobody expected {request.method} {request.url}")

    @property
    def last(self) -> Request:
        """The newest question."""
        return self.asked[-1]

    @property
    def sent(self) -> Any:
        """The newest body."""
        return json.loads(self.last.body)


@pytest.fixture
def vtex() -> FakeVtex:
    return FakeVtex()


@pytest.fixture
def session(vtex: FakeVtex) -> Session:
    return Session(
        http=vtex,
        account="simstore",
        affiliate_id="XPT",
        sales_channel=2,
        app_key="vtexappkey-simstore-ABC",
        app_token="t0ken",
    )


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def sku_body() -> dict[str, Any]:
    return copy.deepcopy(SKU)


@pytest.fixture
def pub_body() -> dict[str, Any]:
    return copy.deepcopy(PUB)


@pytest.fixture
def pvt_body() -> dict[str, Any]:
    return copy.deepcopy(PVT)


@pytest.fixture
def order_body() -> dict[str, Any]:
    return copy.deepcopy(ORDER)
