"""Two operators: the same platform, other carriers, reasons, document types and catalogs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Operator:
    """What an operator chose."""

    name: str
    currency: str
    states: tuple[tuple[str, str], ...]
    carriers: tuple[tuple[str, str], ...]
    reasons: tuple[tuple[str, str, str], ...]
    """Code, type and label."""
    documents: tuple[tuple[str, str], ...]
    categories: tuple[tuple[str, str, str], ...]
    """Code, label and parent: only leaves take products."""
    attributes: tuple[dict[str, Any], ...]
    lists: dict[str, tuple[tuple[str, str], ...]]
    reference_types: tuple[str, ...] = ("EAN", "SELLER_REF")
    multi_shipment: bool = True
    details_before_acceptance: bool = False
    discount_period_required: bool = False

    @property
    def leaves(self) -> frozenset[str]:
        """The categories that take products."""
        return frozenset(code for code, _, _ in self.categories) - {
            parent for _, _, parent in self.categories
        }


def _attribute(code: str, label: str, level: str, **more: Any) -> dict[str, Any]:
    return {
        "code": code,
        "label": label,
        "label_translations": [],
        "description_translations": [],
        "hierarchy_code": "",
        "type": "TEXT",
        "type_parameter": None,
        "type_parameters": [],
        "required": level == "REQUIRED",
        "requirement_level": level,
        "variant": False,
        "validations": None,
        "transformations": None,
        "roles": [],
        "channels": [],
        **more,
    }


def _role(kind: str) -> dict[str, Any]:
    return {"type": kind, "parameters": []}


def _list(code: str) -> dict[str, Any]:
    return {"type": "LIST", "type_parameters": [{"name": "LIST_CODE", "value": code}]}


NORTH = Operator(
    name="Northern Bazaar",
    currency="BRL",
    states=(("11", "New"), ("10", "Refurbished")),
    carriers=(("DPD", "DPD"), ("CORREIOS", "Correios")),
    reasons=(
        ("34", "CANCELATION", "Out of stock"),
        ("35", "CANCELATION", "The customer changed their mind"),
        ("17", "REFUND", "Item returned"),
    ),
    documents=(("CUSTOMER_INVOICE", "Invoice"), ("SYSTEM_DELIVERY_BILL", "Delivery slip")),
    categories=(
        ("N1", "Fashion", ""),
        ("N11", "Running shoes", "N1"),
        ("N12", "T-shirts", "N1"),
        ("N2", "Home", ""),
        ("N21", "Kitchen", "N2"),
    ),
    attributes=(
        _attribute("category", "Category", "REQUIRED", roles=[_role("CATEGORY")]),
        _attribute("shop_sku", "Shop SKU", "REQUIRED", roles=[_role("SHOP_SKU")]),
        _attribute("title", "Title", "REQUIRED", validations="MAX_LENGTH|150"),
        _attribute("colour", "Colour", "RECOMMENDED", variant=True, hierarchy_code="N1",
                   **_list("colours")),
        _attribute("sole", "Sole", "OPTIONAL", hierarchy_code="N11",
                   validations="MIN_LENGTH|2,MAX_LENGTH|60"),
        _attribute("old_code", "Old code", "DISABLED"),
    ),
    lists={"colours": (("RED", "Red"), ("BLU", "Blue"))},
)  # fmt: skip

SOUTH = Operator(
    name="Southern Market",
    currency="EUR",
    states=(("1", "New"), ("4", "Used")),
    carriers=(("COL", "Colissimo"), ("GLS", "GLS")),
    reasons=(
        ("RUPT", "CANCELATION", "Rupture de stock"),
        ("RETOUR", "REFUND", "Article retourné"),
    ),
    documents=(("FACTURE", "Facture client"),),
    categories=(("100", "Mode", ""), ("110", "Chaussures", "100"), ("120", "Chemises", "100")),
    attributes=(
        _attribute("famille", "Famille", "REQUIRED"),
        _attribute("matiere", "Matière", "REQUIRED", hierarchy_code="110", **_list("matieres")),
    ),
    lists={"matieres": (("CUIR", "Cuir"), ("TOILE", "Toile"))},
    multi_shipment=False,
    details_before_acceptance=True,
    discount_period_required=True,
)
OPERATORS = {"north": NORTH, "south": SOUTH}
