"""The simulated Mercado Livre's accounts, categories and predictor."""

from __future__ import annotations

import re
from typing import Any
from unicodedata import combining, normalize

from adapters.mercadolivre.items import MULTI_ORIGIN, USER_PRODUCTS
from adapters.mercadolivre.market.base import Market, problem
from connector.sdk import Request, Response, json_response
from connector.sdk.testing.simulator import route

# (id, name, parent): only leaves take listings.
CATEGORIES = (
    ("MLB1430", "Calçados, Roupas e Bolsas", ""),
    ("MLB23332", "Tênis", "MLB1430"),
    ("MLB31447", "Camisetas", "MLB1430"),
    ("MLB1574", "Casa, Móveis e Decoração", ""),
    ("MLB1592", "Cozinha", "MLB1574"),
    ("MLB1613", "Panelas", "MLB1592"),
    ("MLB1051", "Celulares e Telefones", ""),
    ("MLB1055", "Celulares e Smartphones", "MLB1051"),
)
LEAVES = frozenset(node[0] for node in CATEGORIES) - {node[2] for node in CATEGORIES}
PLAIN = "MLB1613"
"""A leaf that asks for no more than everybody has."""
MAX_TITLE = 120
MAX_PICTURES = 10
REQUIRED = {"MLB23332": ("SIZE",), "MLB31447": ("SIZE", "COLOR"), "MLB1055": ("MODEL",)}
_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "BRAND": {"name": "Marca", "value_type": "string", "value_max_length": 255},
    "GTIN": {"name": "Código universal de produto", "value_type": "string"},
    "SIZE": {
        "name": "Tamanho",
        "value_type": "list",
        "values": [{"id": "3189139", "name": "41"}, {"id": "3189140", "name": "42"}],
    },
    "COLOR": {
        "name": "Cor",
        "value_type": "list",
        "values": [{"id": "52049", "name": "Preto"}, {"id": "52055", "name": "Branco"}],
    },
    "MODEL": {"name": "Modelo", "value_type": "string", "value_max_length": 255},
    "MATERIAL": {"name": "Material", "value_type": "string"},
    "CAPACITY": {
        "name": "Capacidade",
        "value_type": "number_unit",
        "allowed_units": [{"id": "L", "name": "L"}, {"id": "mL", "name": "mL"}],
        "default_unit": "L",
    },
}


def _words(text: str) -> set[str]:
    """The words of a text that tell something, without accents, case or plural."""
    plain = "".join(c for c in normalize("NFKD", text.casefold()) if not combining(c))
    return {re.sub("(?<=[rlz])es$|s$", "", word) for word in re.findall("[a-z0-9]{3,}", plain)}


class CatalogueSide(Market):
    """What can be read without owning anything."""

    @route("GET", "/users/me")
    async def me(self, request: Request) -> Response:
        """Whose token this is."""
        granted = self.caller(request)
        return self._user(granted.user_id if granted is not None else "")

    @route("GET", "/users/{user_id}")
    async def user(self, request: Request, user_id: str) -> Response:
        """An account."""
        del request
        if user_id != self.settings.user_id:
            return problem(404, "not_found", "user not found")
        return self._user(user_id)

    def _user(self, user_id: str) -> Response:
        settings = self.settings
        tags = ["normal"]
        tags += [USER_PRODUCTS] if settings.user_products else []
        tags += [MULTI_ORIGIN] if settings.multi_origin else []
        own = user_id == settings.user_id
        return json_response(
            {
                "id": int(user_id or 0),
                "nickname": settings.nickname if own else "OUTRA_CONTA",
                "site_id": settings.site,
                "user_type": "normal",
                "tags": tags,
                "status": {"site_status": "active"},
            }
        )

    @route("GET", "/sites/{site}/categories")
    async def roots(self, request: Request, site: str) -> Response:
        """The roots of the tree."""
        del request
        if site != self.settings.site:
            return problem(404, "not_found", "site not found")
        return json_response([{"id": i, "name": n} for i, n, parent in CATEGORIES if not parent])

    @route("GET", "/categories/{category_id}")
    async def category(self, request: Request, category_id: str) -> Response:
        """One category with its children and limits."""
        del request
        found = next((node for node in CATEGORIES if node[0] == category_id), None)
        if found is None:
            return problem(404, "not_found", "category not found")
        children = [
            {"id": ident, "name": name, "total_items_in_this_category": 1000}
            for ident, name, parent in CATEGORIES
            if parent == category_id
        ]
        return json_response(
            {
                "id": found[0],
                "name": found[1],
                "children_categories": children,
                "settings": {
                    "listing_allowed": category_id in LEAVES,
                    "max_title_length": MAX_TITLE,
                    "max_pictures_per_item": MAX_PICTURES,
                    "minimum_price": 1,
                },
            }
        )

    @route("GET", "/categories/{category_id}/attributes")
    async def category_attributes(self, request: Request, category_id: str) -> Response:
        """What a category wants to know."""
        del request
        if category_id not in LEAVES:
            return problem(404, "not_found", "category not found")
        required = REQUIRED.get(category_id, ())
        own = ("BRAND", "GTIN", *required, "MATERIAL", "CAPACITY")
        rows = []
        for name in dict.fromkeys(own):
            tags: dict[str, bool] = {"required": True} if name in required else {}
            if name in ("SIZE", "COLOR"):
                tags["allow_variations"] = True
            rows.append({"id": name, "tags": tags, "hierarchy": "ITEM", **_ATTRIBUTES[name]})
        return json_response(rows)

    @route("GET", "/sites/{site}/domain_discovery/search")
    async def discover(self, request: Request, site: str) -> Response:
        """The predictor: leaves whose name shares words with the title, the closest first."""
        del site
        title = _words(request.query.get("q", ""))
        shared = {i: len(title & _words(name)) for i, name, _ in CATEGORIES if i in LEAVES}
        leaves = [node for node in CATEGORIES if shared.get(node[0])]
        leaves.sort(key=lambda node: -shared[node[0]])
        limit = int(request.query.get("limit", "1"))
        return json_response(
            [
                {
                    "domain_id": f"{self.settings.site}-{ident}",
                    "domain_name": name,
                    "category_id": ident,
                    "category_name": name,
                    "attributes": [],
                }
                for ident, name, _ in leaves[:limit]
            ]
        )
