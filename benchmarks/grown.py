"""The hub on MongoDB and RabbitMQ, in several processes: the figures beside the embedded ones."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median

from benchmarks import acks
from benchmarks.clients import bare_load
from benchmarks.ground import Grown
from benchmarks.hub import Ledger, RunningHub, make_ledger, running
from benchmarks.loads import Peers
from benchmarks.processes import module
from benchmarks.shapes import FIRST_SKU
from benchmarks.sizes import CONCURRENCY, CONNECTIONS, Sizes
from benchmarks.table import Row
from benchmarks.wire import Line, burst, encode
from tests.servers.machines import Machines

WORKERS = 2
_PUBLISHED = re.compile(rb"(?m)^hub_broker_published_total\{[^}]*\} ([0-9.e+]+)$")
_ACKS = acks.Wanted(
    "grown-acks",
    "MongoDB + RabbitMQ: durable acknowledgements, one web process, against a bare handler",
    0.25,
    0.4,
)


async def ground_of(on: Machines) -> Grown:
    """A database and a vhost of its own."""
    fresh = await on.fresh()
    return Grown(fresh.store_url, fresh.broker_url)


@asynccontextmanager
async def crew(ledger: Ledger, workers: int = WORKERS) -> AsyncIterator[list[RunningHub]]:
    """One web process, and workers that share the concurrency one process has elsewhere."""
    async with AsyncExitStack() as closing:
        roles = [("web", "web"), *(("worker", f"worker{number}") for number in range(workers))]
        entering = (closing.enter_async_context(running(ledger, *role)) for role in roles)
        yield [await each for each in entering]


async def measure(sizes: Sizes, place: Path, peers: Peers, on: Machines) -> list[Row]:
    """Acknowledgements, first load and wave."""
    await peers.tell("reset", listings=True, listed=False, skus=sizes.skus)
    rows = await acks.measure(
        sizes, place / "grown-acks", peers.host, ground=await ground_of(on), wanted=_ACKS
    )
    loads, waves, plain, shares = [], [], [], []
    for number in range(sizes.load_rounds):
        await peers.tell("reset", listings=True, listed=False)
        bare = await bare_load(peers.address, range(FIRST_SKU, FIRST_SKU + sizes.skus))
        await peers.tell("reset", listings=True)
        ledger = await make_ledger(
            place / f"grown-{number}",
            peers.host,
            gather_s=sizes.gather_s,
            ground=await ground_of(on),
            concurrency=CONCURRENCY // WORKERS,
        )
        async with crew(ledger) as hubs:
            loads.append((await _load(hubs, peers, sizes), bare))
            seconds, messages = await _wave(hubs, peers, sizes)
        waves.append(seconds)
        shares.append(messages / sizes.skus)
        plain.append(await _task_wave(peers, sizes, (await on.fresh()).broker_url))
    return [*rows, *_rows(sizes, loads, waves, plain, shares)]


async def _load(hubs: Sequence[RunningHub], peers: Peers, sizes: Sizes) -> float:
    web = hubs[0]
    await web.quiet()
    await peers.tell("reset", listings=True, listed=True)
    began = time.monotonic()
    await web.sync()
    seconds = await peers.synced() - began
    told = await peers.tell("seen")
    created = told["items"].get("create", 0)
    if created != sizes.skus:
        raise AssertionError(f"{created} listings were created, {sizes.skus} were to be")
    await web.quiet()
    return seconds


async def _wave(hubs: Sequence[RunningHub], peers: Peers, sizes: Sizes) -> tuple[float, float]:
    """Seconds until all is published, and how many messages went through RabbitMQ meanwhile."""
    web = hubs[0]
    await peers.tell("change")
    await peers.tell("reset")
    before = await _published(hubs)
    requests = [web.ledger.notification(FIRST_SKU + at) for at in range(sizes.skus)]
    began = time.monotonic()
    await burst(web.public, requests, CONNECTIONS)
    seconds = await peers.synced() - began
    await web.quiet()
    return seconds, await _published(hubs) - before


async def _task_wave(peers: Peers, sizes: Sizes, broker_url: str) -> float:
    """The same wave with a task per notification."""
    await peers.tell("change")
    await peers.tell("reset")
    arguments = (broker_url, "tasks", peers.host)
    async with (
        module("benchmarks.tasks", "take", *arguments) as take,
        module("benchmarks.tasks", "work", *arguments),
    ):
        requests = [
            encode("POST", "/notification", {"IdSku": str(FIRST_SKU + at), "PriceModified": True})
            for at in range(sizes.skus)
        ]
        began = time.monotonic()
        await burst(("127.0.0.1", take.told["port"]), requests, CONNECTIONS)
        return await peers.synced() - began


async def _published(hubs: Sequence[RunningHub]) -> float:
    """Messages that all processes have sent so far."""
    total = 0.0
    for hub in hubs:
        line = await Line.open(*hub.admin_address)
        text = await line.call(encode("GET", "/metrics"))
        line.close()
        total += sum(float(number) for number in _PUBLISHED.findall(text))
    return total


def _rows(
    sizes: Sizes,
    loads: Sequence[tuple[float, float]],
    waves: Sequence[float],
    plain: Sequence[float],
    shares: Sequence[float],
) -> list[Row]:
    to_bare = [hub / bare for hub, bare in loads]
    to_tasks = [tasks / hub for hub, tasks in zip(waves, plain, strict=True)]
    n = sizes.skus
    return [
        Row(
            "grown-load",
            f"MongoDB + RabbitMQ: first load of {n} SKUs with {WORKERS} workers, against a plain"
            " client",
            median(to_bare),
            must=1.6,
            goal=1.25,
            at_most=True,
            note=f"{median(hub for hub, _ in loads):.1f} s; {CONCURRENCY} calls at once in all",
            rounds=to_bare,
        ),
        Row(
            "grown-wave",
            f"wave of {n} notifications: times faster than a task per notification",
            median(to_tasks),
            must=1,
            goal=5,
            note=(
                f"{median(waves):.2f} s against {median(plain):.2f} s: FastStream on the same"
                f" RabbitMQ, a durable task per notification, {CONCURRENCY} at once"
            ),
            rounds=to_tasks,
            detail={"hub_s": list(waves), "tasks_s": list(plain)},
        ),
        Row(
            "grown-messages",
            "broker messages per changed SKU in that wave",
            median(shares),
            goal=0.1,
            at_most=True,
            rounds=shares,
        ),
    ]
