"""How soon a price changed in VTEX is Mercado Livre's: a stream of changes, one hub process.

    python adapters/mercadolivre/tests/bench_price_changes.py --rate 50 --seconds 60

Both sides are simulated in this process, over real HTTP and in real time; the hub runs in one of
its own. The simulated Mercado Livre allows 75 calls a second (``MercadoSimSettings.rate``), the
adapter keeps to 60. Told are: calls, share of 429s, and the time from the change in VTEX until
Mercado Livre has accepted that very price.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from time import monotonic

from connector.sandbox.demo.application import introduce
from connector.sandbox.demo.installation import Installation
from connector.sandbox.demo.options import DemoOptions
from connector.sandbox.demo.scenario import load_catalog
from connector.sandbox.demo.stage import open_stage

_SETTLE_S = 30.0
_LOOK_S = 0.005


class Stream:
    """Changes prices at a steady rate and sees when each arrives."""

    def __init__(self, stage, skus):
        self.stage, self.skus = stage, skus
        self.base = {sku.id: stage.market.offered(str(sku.id)).price_minor for sku in skus}
        self.waiting = {}
        self.took = []
        self.overtaken = 0
        self.made = 0
        self.ended = False

    async def change(self, rate, seconds):
        """Change a price every 1/rate seconds, however long each takes to arrive."""
        began = monotonic()
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - monotonic()))
            sku = self.skus[number % len(self.skus)]
            # By a few cents: larger steps are held back for a person to look at.
            price = self.base[sku.id] + 1 + number // len(self.skus)
            self.overtaken += str(sku.id) in self.waiting
            self.waiting[str(sku.id)] = monotonic(), price
            self.stage.store.set_price(sku.id, price, price)
            self.made += 1
        self.ended = True

    async def watch(self):
        """Look which changes have arrived, until all have and no more are made."""
        while self.waiting or not self.ended:
            await asyncio.sleep(_LOOK_S)
            now = monotonic()
            for sku, (since, price) in list(self.waiting.items()):
                if self.stage.market.offered(sku).price_minor == price:
                    self.took.append(now - since)
                    del self.waiting[sku]


def _at(sorted_times, share):
    return round(sorted_times[min(len(sorted_times) - 1, int(share * len(sorted_times)))], 3)


async def _connected(stage, place):
    hub = Installation(stage, place)
    await hub.start()
    file = place / "connection.json"
    file.write_text(json.dumps(stage.connection_file()), encoding="utf-8")
    urls = await hub.run_json("connection", "add", "--file", str(file))
    await introduce(hub, "mercadolivre", stage.market, urls)
    await hub.run("connection", "check", urls["id"], "--fix")
    await hub.run("sync", urls["id"])
    return hub


async def measure(rate, seconds, skus, latency_s):
    """Run it once; returns what is told."""
    options = DemoOptions(
        skus=skus, orders=0, faults="none", time_scale=1.0, adapter="mercadolivre"
    )
    with tempfile.TemporaryDirectory() as folder:
        async with open_stage(options) as stage:
            hub = await _connected(stage, Path(folder))
            try:
                await load_catalog(stage, share=0.9, patience_s=60.0)
                stage.market.faults.latency_s = latency_s
                return await _stream(stage, rate, seconds)
            finally:
                await hub.stop()


async def _stream(stage, rate, seconds):
    # VTEX answers old prices for minutes, which is not what is measured here.
    stage.store.settings.apply({"stale_price_s": 0.0, "stale_stock_s": 0.0})
    shelf = stage.market.shelf()
    skus = [sku for sku in stage.store.catalog.skus.values() if _shown(shelf, sku)]
    stream = Stream(stage, skus)
    calls, refused = stage.market_tap.calls, stage.faults["marketplace: 429"]
    watching = asyncio.create_task(stream.watch())
    began = monotonic()
    await stream.change(rate, seconds)
    changing_s = monotonic() - began
    await asyncio.wait([watching], timeout=_SETTLE_S)
    watching.cancel()
    calls = stage.market_tap.calls - calls
    refused = stage.faults["marketplace: 429"] - refused
    took = sorted(stream.took) or [float("inf")]
    return {
        "changes": stream.made,
        "changes_per_s": round(stream.made / changing_s, 1),
        "skus": len(skus),
        "answers_take_s": stage.market.faults.latency_s,
        "limit_of_the_simulator_per_s": stage.market.settings.rate,
        "calls_to_mercado_livre": calls,
        "answered_429": refused,
        "share_429_pct": round(100 * refused / calls, 3) if calls else 0.0,
        "accepted": len(stream.took),
        "overtaken_by_a_newer_price": stream.overtaken,
        "never_accepted": len(stream.waiting),
        "p50_s": _at(took, 0.50),
        "p95_s": _at(took, 0.95),
        "p99_s": _at(took, 0.99),
        "longest_s": round(took[-1], 3),
    }


def _shown(shelf, sku):
    item = shelf.get(str(sku.id))
    return (
        item is not None
        and item.buyable
        and sku.price.current is not None
        and sku.multiplier == 1.0
    )


def main():
    """Read the command line and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=50.0, help="changes a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--skus", type=int, default=1_000)
    parser.add_argument("--latency", type=float, default=0.0, help="of every answer, in seconds")
    told = parser.parse_args()
    found = asyncio.run(measure(told.rate, told.seconds, told.skus, told.latency))
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
