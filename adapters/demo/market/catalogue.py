"""What the simulated Demo Market wants to know of products, and what it knows of them itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from adapters.demo.market.base import CATEGORIES, LEAVES, Market, problem
from connector.sdk import Request, Response, json_response
from connector.sdk.testing.simulator import route


@dataclass(frozen=True, slots=True)
class SimAttribute:
    """One attribute; ``values`` are those it takes as (id, name), none: any text."""

    id: str
    name: str
    required: bool = False
    recommended: bool = False
    variation: bool = False
    kind: str = "text"
    max_length: int = 0
    units: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()


_COLOURS = (("c-blue", "Blue"), ("c-red", "Red"), ("c-black", "Black"), ("c-white", "White"))
_SIZES = (("s", "S"), ("m", "M"), ("l", "L"), ("xl", "XL"))
_PLUGS = (("usb-c", "USB-C"), ("micro", "Micro USB"), ("light", "Lightning"))

COLOUR = SimAttribute("colour", "Colour", recommended=True, kind="list", values=_COLOURS)
ATTRIBUTES: dict[str, tuple[SimAttribute, ...]] = {
    "110": (
        COLOUR,
        SimAttribute("shoe_size", "Size", variation=True, recommended=True),
        SimAttribute("drop", "Heel drop", kind="number", units=("mm", "in")),
    ),
    "120": (
        COLOUR,
        SimAttribute("size", "Size", variation=True, kind="list", values=_SIZES),
        SimAttribute("fabric", "Fabric", max_length=60),
    ),
    "320": (
        SimAttribute("plug", "Plug", required=True, kind="list", values=_PLUGS),
        SimAttribute("length", "Cable length", kind="number", units=("m",)),
    ),
}
"""By category; only chargers and cables have one that nothing is listed without."""


def missing_attributes(category: str, item: dict[str, Any]) -> list[dict[str, str]]:
    """The required attributes that an offer does not give, or gives a value that is not taken."""
    given = {
        str(each.get("id")): each
        for each in item.get("market_attributes") or ()
        if isinstance(each, dict)
    }
    errors = []
    for wanted in ATTRIBUTES.get(category, ()):
        told = given.get(wanted.id, {})
        ids = {str(each) for each in told.get("value_ids") or ()}
        if wanted.required and not told:
            errors.append({"code": wanted.id, "message": f"{wanted.name} is required"})
        elif wanted.values and not ids <= {own for own, _ in wanted.values}:
            errors.append({"code": wanted.id, "message": f"{wanted.name} has an unknown value"})
    return errors


class CatalogueSide(Market):
    """Attributes of categories, a guess of the category from a title, products known by EAN."""

    @route("GET", "/v1/categories/{category_id}/attributes")
    async def category_attributes(self, request: Request, category_id: str) -> Response:
        """What is wanted to know of products in a leaf."""
        del request
        if category_id not in LEAVES:
            return problem(404, "not_found", f"{category_id!r} is no leaf of the category tree")
        items = [
            asdict(each) | {"values": [{"id": own, "name": name} for own, name in each.values]}
            for each in ATTRIBUTES.get(category_id, ())
        ]
        return json_response({"items": items})

    @route("GET", "/v1/predictor")
    async def predictor(self, request: Request) -> Response:
        """Leaves whose names share words with a title, best first."""
        words = set(request.query.get("title", "").lower().split())
        guesses = []
        for key, name, _ in CATEGORIES:
            own = {word.rstrip("s") for word in name.lower().split() if len(word) > 1}
            shared = sum(word.rstrip("s") in own for word in words)
            if key in LEAVES and shared:
                score = round(shared / len(own), 3)
                guesses.append({"category_id": key, "name": name, "score": score})
        guesses.sort(key=lambda guess: (-float(str(guess["score"])), str(guess["category_id"])))
        return json_response({"items": guesses[:3]})

    @route("GET", "/v1/products/{ean}")
    async def known_product(self, request: Request, ean: str) -> Response:
        """The category of a product that somebody sells here already."""
        del request
        category = self.settings.known_products.get(ean)
        if category is None:
            return problem(404, "not_found", f"No product with EAN {ean}")
        return json_response({"ean": ean, "category_id": category})
