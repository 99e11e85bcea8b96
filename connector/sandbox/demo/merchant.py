"""The merchant: what happens to prices, stock, content and assortment in the VTEX admin."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from random import Random

from connector.sandbox.demo.plan import Deed
from connector.sandbox.demo.stage import Stage
from connector.sandbox.vtexsim import Sku

_LEAST_OFFERED = 4
_LOW = 3
"""Units that are left when a SKU runs low."""


class Merchant:
    """Changes products; what is sold is never switched off, so that every order can be placed."""

    def __init__(self, stage: Stage, rng: Random) -> None:
        self._stage = stage
        self._store = stage.store
        self._rng = rng
        self.edits: dict[str, str] = {}
        self.low: list[str] = []
        """SKUs with few units left, which only marketplace sales take."""
        self._deal()

    def _deal(self) -> None:
        """Deal the products out: some are for selling, some for switching on and off."""
        store, rng = self._store, self._rng
        products = [product.id for product in store.catalog.products.values()]
        rng.shuffle(products)
        cut = max(1, len(products) * 2 // 3)
        kits = {part.sku_id for sku in store.catalog.skus.values() for part in sku.kit}
        offered = [sku for sku in self._of(products[:cut]) if self.presentable(sku)]
        self.offered = [sku for sku in offered if self._sold_here(sku)]
        while len(self.offered) < _LEAST_OFFERED:  # a shop of a few SKUs may have none to sell
            name = f"Básico {len(self.offered) + 1}"
            sku = store.create_sku(name=name, price=5_000, stock=500, silent=True)
            store.watch(sku)
            self.offered.append(sku)
        plain = [sku for sku in self.offered if not sku.kit and sku.id not in kits]
        self._scarce = deque(plain[: max(1, len(plain) // 12)])
        scarce = {sku.id for sku in self._scarce}
        self._priced = [sku for sku in self.offered if sku.id not in scarce]
        self._priced += [sku for sku in self._of(products[cut:]) if sku.price.current]
        self._stocked = [sku for sku in self._priced if not sku.kit]
        self._switched = deque(sku for sku in self._of(products[cut:]) if self._sold_here(sku))
        self._off: deque[Sku] = deque(
            sku for sku in self._of(products[cut:]) if not sku.active and self.presentable(sku)
        )
        self._gone: deque[Sku] = deque()
        self._closed: deque[int] = deque()
        self._edited = deque(products)

    def presentable(self, sku: Sku) -> bool:
        """Whether marketplaces take it at all: those without pictures they do not."""
        return bool(sku.images)

    def do(self, deed: Deed) -> None:
        """Do one thing, unless there is nothing left to do it to."""
        acts = {
            "change_price": self._change_price,
            "change_stock": self._change_stock,
            "edit_content": self._edit_content,
            "deactivate": self._deactivate,
            "activate": self._activate,
            "deactivate_product": self._deactivate_product,
            "activate_product": self._activate_product,
            "leave_policy": self._leave_policy,
            "join_policy": self._join_policy,
            "start_promotion": self._start_promotion,
            "take_price_away": self._take_price_away,
            "create_product": self._create_product,
            "reindex": self._reindex,
            "run_low": self._run_low,
        }
        if acts[deed.name](silent=deed.silent):
            self._stage.events[deed.name.replace("_", " ")] += 1
            self._stage.events["unannounced changes"] += deed.silent

    # --- price and stock ----------------------------------------------------------------------

    def _change_price(self, *, silent: bool) -> bool:
        if not self._priced:
            return False
        sku = self._rng.choice(self._priced)
        price = sku.price.current
        if price is None:
            return False
        wanted = max(100, round(price.price * self._rng.uniform(0.8, 1.25)))
        self._store.set_price(sku.id, wanted, max(wanted, price.list_price), silent=silent)
        return True

    def _change_stock(self, *, silent: bool) -> bool:
        if not self._stocked:
            return False
        sku = self._rng.choice(self._stocked)
        units = self._rng.randint(0, 5) if self._rng.random() < 0.2 else self._rng.randint(20, 400)
        self._store.set_stock(sku.id, sku.reserved + units, silent=silent)
        return True

    def _start_promotion(self, *, silent: bool) -> bool:
        del silent  # VTEX never announces promotions
        chosen = self._rng.sample(self._priced, min(5, len(self._priced)))
        self._store.schedule_promotion(
            [sku.id for sku in chosen],
            self._rng.choice((5, 12.5, 33)),
            begins_in_s=self._rng.uniform(0, 900),
            lasts_s=self._rng.uniform(600, 2_500),
        )
        return True

    def _take_price_away(self, *, silent: bool) -> bool:
        if not self._switched:
            return False
        self._store.set_price(self._switched.pop().id, None, silent=silent)
        return True

    def _run_low(self, *, silent: bool) -> bool:
        """A few units of something popular are left: buyers will be faster than caches."""
        del silent
        if not self._scarce:
            return False
        sku = self._scarce.popleft()
        self._store.set_stock(sku.id, sku.reserved + self._rng.randint(1, _LOW))
        self.low.append(str(sku.id))
        return True

    # --- content and assortment ---------------------------------------------------------------

    def _edit_content(self, *, silent: bool) -> bool:
        if not self._edited:
            return False
        product = self._store.catalog.products[self._edited.popleft()]
        skus = [self._store.catalog.skus[number] for number in product.sku_ids]
        words = f"Edição {len(self.edits) + 1:03} ✓"
        if self._rng.random() < 0.5:
            self._store.edit_content(skus[0].id, name=f"{skus[0].name} {words}", silent=silent)
            self.edits[str(skus[0].id)] = words
            return True
        self._store.edit_content(
            skus[0].id, description=f"<p>{product.description}</p><p>{words}</p>", silent=silent
        )
        self.edits |= {str(sku.id): words for sku in skus}
        return True

    def _deactivate(self, *, silent: bool) -> bool:
        if not self._switched:
            return False
        sku = self._switched.popleft()
        self._store.set_active(sku.id, active=False, silent=silent)
        self._off.append(sku)
        return True

    def _activate(self, *, silent: bool) -> bool:
        if not self._off:
            return False
        self._store.set_active(self._off.popleft().id, active=True, silent=silent)
        return True

    def _deactivate_product(self, *, silent: bool) -> bool:
        if not self._switched:
            return False
        product = self._switched.popleft().product_id
        self._store.set_product_active(product, active=False, silent=silent)
        self._closed.append(product)
        return True

    def _activate_product(self, *, silent: bool) -> bool:
        if not self._closed:
            return False
        self._store.set_product_active(self._closed.popleft(), active=True, silent=silent)
        return True

    def _leave_policy(self, *, silent: bool) -> bool:
        if not self._switched:
            return False
        sku = self._switched.popleft()
        self._store.remove_sku_from_policy(sku.id, silent=silent)
        self._gone.append(sku)
        return True

    def _join_policy(self, *, silent: bool) -> bool:
        if not self._gone:
            return False
        channel = self._store.settings.sales_channel
        sku = self._gone.popleft()
        self._store.set_trade_policy(sku.id, channel, member=True, silent=silent)
        return True

    def _create_product(self, *, silent: bool) -> bool:
        number = self._stage.events["create product"] + 1
        price, stock = self._rng.randrange(2_000, 30_000), self._rng.randint(5, 50)
        sku = self._store.create_sku(name=f"Novidade {number}", price=price, stock=stock,
                                     silent=silent)  # fmt: skip
        self._store.watch(sku)
        return True

    def _reindex(self, *, silent: bool) -> bool:
        del silent
        self._store.reindex()
        return True

    # --- choosing -----------------------------------------------------------------------------

    def _of(self, products: Iterable[int]) -> list[Sku]:
        catalog = self._store.catalog
        chosen = [catalog.products[product] for product in products]
        return [catalog.skus[sku] for product in chosen for sku in product.sku_ids]

    def _sold_here(self, sku: Sku) -> bool:
        return self._store.sellable(sku, self._store.settings.sales_channel)
