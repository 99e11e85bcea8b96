"""Rules about reading: answers with something missing or of another kind, and category trees."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from connector.domain.http import HttpFailure, Response, json_response
from connector.domain.marketorder import MarketOrder
from connector.sdk.errors import AdapterError
from connector.sdk.kit.bench import Bench
from connector.sdk.kit.probes import SILENT, Probes, probes
from connector.sdk.kit.rule import Try
from connector.sdk.testing.tricks import offers
from connector.sdk.values import Capability, Category

Path = tuple[str | int, ...]

_MOST_PATHS = 120
_TELLING = 4
"""Personal data shorter than this may be in any text by chance."""
_KINDS: tuple[Any, ...] = (None, [], {"a": 1}, True, -1)
_GONE = object()


async def mangled(bench: Bench) -> Iterable[str]:
    """Change one place of an answer at a time; an adapter may refuse it, but never crash."""
    made = await probes(bench)
    personal = await _personal(bench, made)
    problems: list[str] = []
    for operation in [name for name in made.calls if name not in SILENT]:
        problems += await _mangled(bench, made.only(operation), personal)
    if bench.has(Capability.CREATE) and offers(bench.simulator, "refuse"):
        # Refusals have answers of their own.
        bench.play("refuse", "probe-2", "the kit wants to see a refusal")
        problems += await _mangled(bench, made.only("create"), personal)
    return list(dict.fromkeys(problems))


async def _mangled(bench: Bench, one: Probes, personal: Iterable[str]) -> list[str]:
    paths: dict[Path, None] = {}

    def look(response: Response) -> Response:
        paths.update(dict.fromkeys(_paths(response.json())))
        return response

    bench.door.mangle = look
    await one.make()
    crashes: dict[str, str] = {}
    for at, path in enumerate(list(paths)[:_MOST_PATHS]):
        for instead in (_GONE, "?", _KINDS[at % len(_KINDS)]):
            bench.door.mangle = _Change(path, instead)
            for answer in await one.make():
                if (said := _wrong(answer.raised, personal)) and answer.raised is not None:
                    place = ".".join(map(str, path))
                    kind = f"{answer.operation}() {said}"
                    crashes.setdefault(
                        kind, f"{kind} when the answer's {place} is {_word(instead)}"
                    )
    bench.door.open()
    return list(crashes.values())


def _wrong(raised: Exception | None, personal: Iterable[str]) -> str:
    if raised is None or isinstance(raised, HttpFailure):
        return ""
    if not isinstance(raised, AdapterError):
        return f"raised {type(raised).__name__}, which means nothing to the hub (RetryLater does),"
    told = f"{raised} {raised.public}"
    if any(secret in told for secret in personal):
        return f"raised {type(raised).__name__} with a buyer's data in it"
    return ""


async def _personal(bench: Bench, made: Probes) -> list[str]:
    """What nobody may read in an error: who bought, and where it goes."""
    if "order" not in made.calls:
        return []
    order = await made.calls["order"](bench.adapter)
    if not isinstance(order, MarketOrder):
        return []
    words = [str(value) for part in (order.buyer, order.address) for _, value in part if value]
    return [word for word in words if len(word) >= _TELLING]


class _Change:
    """Changes one place of every JSON answer that has it."""

    def __init__(self, path: Path, instead: Any) -> None:
        self._path = path
        self._instead = instead

    def __call__(self, response: Response) -> Response:
        payload = copy.deepcopy(response.json())
        at = payload
        for step in self._path[:-1]:
            if not _has(at, step):
                return response
            at = at[step]
        last = self._path[-1]
        if not _has(at, last):
            return response
        if self._instead is _GONE:
            del at[last]
        else:
            at[last] = self._instead
        return replace(json_response(payload, response.status), headers=response.headers)


def _has(value: Any, step: str | int) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


def _paths(value: Any, so_far: Path = ()) -> Iterator[Path]:
    """Every place of a JSON value; of lists, the first item stands for all."""
    if so_far:
        yield so_far
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _paths(one, (*so_far, name))
    elif isinstance(value, list) and value:
        yield from _paths(value[0], (*so_far, 0))


def _word(instead: Any) -> str:
    return "missing" if instead is _GONE else repr(instead)


# --- categories -----------------------------------------------------------------------------------


async def categories(bench: Bench) -> Iterable[str]:
    """A tree that hangs together, and attributes for its leaves."""
    tree = {node.id: node for node in await bench.adapter.categories()}
    category = bench.simulator.some_category()
    problems = [
        f"the category {node.id} has a parent {node.parent_id} that is not in the tree"
        for node in tree.values()
        if node.parent_id and node.parent_id not in tree
    ]
    parents = {node.parent_id for node in tree.values()}
    problems += [
        f"the category {node.id} has children, but is called a leaf"
        for node in tree.values()
        if node.leaf and node.id in parents
    ]
    problems += [
        f"the category {node.id} is above itself" for node in tree.values() if _loops(tree, node)
    ]
    if category not in tree or not tree[category].leaf:
        problems.append(f"the category {category}, which takes listings, is no leaf of the tree")
    if bench.has(Capability.ATTRIBUTES):
        names = [each.id for each in await bench.adapter.attributes(category)]
        if len(names) != len(set(names)):
            problems.append(f"attributes({category!r}) names an attribute twice: {names}")
    return problems


def _loops(tree: dict[str, Category], node: Category) -> bool:
    above, seen = node.parent_id, {node.id}
    while above in tree:
        if above in seen:
            return True
        seen.add(above)
        above = tree[above].parent_id
    return False


RULES = (
    Try("mangled-answers", mangled),
    Try("categories", categories, needs=(Capability.CATEGORIES,)),
)
