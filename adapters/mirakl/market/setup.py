"""What a platform tells of itself and of a shop (PC01, A01): mostly features nobody here uses."""

from __future__ import annotations

from typing import Any

from adapters.mirakl.market.operators import Operator


def _off(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names, False)


def platform(operator: Operator) -> dict[str, Any]:
    """The features that are on, and all that are not."""
    pricing = _off(
        "discount_price_creation_in_the_past_blocked",
        "scheduled_pricing",
        "volume_discount",
        "volume_pricing",
    )
    workflows = _off(
        "no_customer_payment_confirmation",
        "pause_debit_workflow",
        "pay_on_due_date",
        "pay_on_shipment",
        "sellers_edit_shipping_origin",
    )
    features = {
        **_features(),
        "order_workflows": {
            **workflows,
            "order_acceptance": "BOTH",
            "shipping_and_billing_details_before_acceptance": operator.details_before_acceptance,
        },
        "pricing": {
            **pricing,
            "channel_pricing": "DISABLED",
            "discount_period_required": operator.discount_period_required,
        },
        "shipment": {
            "multi_part_item_shipment": False,
            "multi_shipment": operator.multi_shipment,
        },
    }
    return {
        "features": features,
        "modules": _modules(),
        "platform_configuration": {
            "customer_model": {"b2b": True, "b2c": True},
            "enhanced_seller_invoicing": {"enabled": False},
            "platform_model": {"drop_ship": False, "marketplace": True, "one_creditor": False},
        },
        "platform_name": operator.name,
        "tenant_name": "simulated",
        "timezone": "UTC",
    }


def _features() -> dict[str, Any]:
    catalog = _off(
        "allow_shop_contribution_to_all_channels",
        "exclude_invalid_products",
        "product_acceptance_by_channel",
        "product_data_validation_by_channel",
    )
    conditions = _off("maximum_order_quantity", "minimum_order_quantity", "package_order_quantity")
    plain = _off(
        "circular_economy_data_collection",
        "competitive_pricing_tool",
        "disable_seller_alternative_carrier",
        "kyc_status_per_seller",
        "multi_currency",
        "multi_payout_psp_per_seller",
        "no_reply_needed",
        "payment_confirmation",
        "product_data_validation_by_channel",
    )
    taxes = _off("product_tax_code_mandatory", "tax_collection_by_operator")
    return {
        **plain,
        "catalog": {
            **catalog,
            "list_of_multiple_values_separator": "|",
            "product_import_only_on_leaf": True,
        },
        "direct_payment_customer_store": _off("activated", "refund_cancel_authorized"),
        "dropship": {},
        "lead_time_to_ship_by_sellers_enabled": "YES",
        "offer_prices_decimals": "2",
        "operator_csv_delimiter": "SEMICOLON",
        "order_conditions": {**conditions, "lead_time_to_ship": True},
        "order_tax_mode": "TAX_INCLUDED",
        "promotion": _off("cart_promotion_campaign", "discount_campaign", "seller_promotion"),
        "returns": {},
        "shop_tax_options": {"tax_identification_number": {"mandatory": False}},
        "tax_collection": {**taxes, "activated": "NO"},
        "tax_id_number": {"mandatory": False},
        "warehouses": {"geolocation": False, "restricted_countries": []},
    }


def _modules() -> dict[str, Any]:
    return {
        "mirakl_catalog_integrator": True,
        "mirakl_catalog_manager": False,
        "mirakl_catalog_transformer": False,
        "mirakl_platform_services": False,
        "offer_management": True,
        "order_management": True,
        "promotions": False,
        "quotes": False,
        "tax_manager": {"activated": False, "tax_provider": _off("avalara", "vertex")},
    }


def shop(operator: Operator, shop_id: int, name: str) -> dict[str, Any]:
    """A shop that is open."""
    address = {"city": "São Paulo", "country_iso_code": "BRA", "street_1": "Rua São João, 10"}
    return {
        "shop_id": shop_id,
        "shop_name": name,
        "shop_state": "OPEN",
        "currency_iso_code": operator.currency,
        "date_created": "2024-01-01T00:00:00Z",
        "last_updated_date": "2024-01-01T00:00:00Z",
        "billing_info": None,
        "channels": [],
        "contact_informations": {
            "city": "São Paulo",
            "country": "BRA",
            "email": "shop@example.com",
            "lastname": "Shop",
            "street1": "Rua São João, 10",
        },
        "default_billing_information": {
            "default_language": "pt_BR",
            "id": "00000000-0000-0000-0000-000000002000",
            "registration_address": address,
        },
        "domains": ["PRODUCT"],
        "evaluations_count": 0,
        "free_shipping": False,
        "is_professional": True,
        "offers_count": 0,
        "orders_count": 0,
        "payment_details": {"paid_balance": 0, "payable_balance": 0, "pending_balance": 0},
        "payment_method_mandatory": False,
        "premium": False,
        "pro_details": {},
        "shipping": {},
        "shipping_types": [],
        "shipping_zones": [],
        "shop_additional_fields": [],
    }
