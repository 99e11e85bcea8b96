"""``python -m tests.chaos [--short] [PROOF ...]``: run the proofs, print the table."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos import acked, broker, killing, limits, noisy, stampede, stopping
from tests.chaos.verdict import Verdict
from tests.servers.machines import Machines, machines

Proof = Callable[[Machines, bool], Awaitable[Sequence[Verdict]]]


async def _killing(on: Machines, short: bool) -> Sequence[Verdict]:
    del on  # the set of three is its own
    async with machines(nodes=3) as own:
        return [await killing.prove(own, killing.SHORT if short else killing.LONG)]


async def _acked(on: Machines, short: bool) -> Sequence[Verdict]:
    return [await acked.prove(await on.fresh(), acked.SHORT if short else acked.LONG)]


async def _zombies(on: Machines, short: bool) -> Sequence[Verdict]:
    size = stopping.SHORT if short else stopping.LONG
    return [await stopping.prove_zombies(await on.fresh(), size)]


async def _noisy(on: Machines, short: bool) -> Sequence[Verdict]:
    return await noisy.prove(await on.fresh(), noisy.SHORT if short else noisy.LONG)


async def _stampede(on: Machines, short: bool) -> Sequence[Verdict]:
    return [await stampede.prove(await on.fresh(), stampede.SHORT if short else stampede.LONG)]


async def _limits(on: Machines, short: bool) -> Sequence[Verdict]:
    return [await limits.prove(await on.fresh(), limits.SHORT if short else limits.LONG)]


async def _terms(on: Machines, short: bool) -> Sequence[Verdict]:
    size = stopping.SHORT if short else stopping.LONG
    return [await stopping.prove_terms(await on.fresh(), size)]


PROOFS: Mapping[str, Proof] = {
    "killing": _killing,
    "acked": _acked,
    "broker": broker.prove,
    "zombies": _zombies,
    "noisy": _noisy,
    "stampede": _stampede,
    "limits": _limits,
    "terms": _terms,
}


# Those of one group run beside each other: they mostly wait. The others want the machine alone.
GROUPS = (
    ("killing",),
    ("acked", "broker", "zombies", "stampede", "terms"),
    ("noisy",),
    ("limits",),
)


async def run(names: Sequence[str], short: bool) -> list[Verdict]:
    """Run proofs, group after group."""
    found: dict[str, Sequence[Verdict]] = {}
    async with machines() as on:
        for group in GROUPS:
            chosen = [name for name in group if name in names]
            if not chosen:
                continue
            began = time.monotonic()
            sys.stderr.write(f"{', '.join(chosen)} ... ")
            sys.stderr.flush()
            told = await asyncio.gather(*(PROOFS[name](on, short) for name in chosen))
            found.update(zip(chosen, told, strict=True))
            sys.stderr.write(f"{time.monotonic() - began:.0f} s\n")
    return [verdict for name in PROOFS for verdict in found.get(name, ())]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 where a proof fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("proofs", nargs="*", metavar="PROOF", help=", ".join(PROOFS))
    parser.add_argument("--short", action="store_true", help="the sizes of make test")
    parser.add_argument("--json", type=Path, help="also write the verdicts there")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.proofs) - set(PROOFS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    verdicts = asyncio.run(run(asked.proofs or list(PROOFS), asked.short))
    _show(verdicts)
    if asked.json:
        told = [asdict(one) | {"figures": _finite(one.figures)} for one in verdicts]
        asked.json.write_text(json.dumps(told, indent=2) + "\n")
    return 0 if all(one.ok for one in verdicts) else 1


def _finite(figures: Mapping[str, float]) -> dict[str, float | None]:
    """JSON knows no infinity."""
    return {name: value if isfinite(value) else None for name, value in figures.items()}


def _show(verdicts: Sequence[Verdict]) -> None:
    table = Table(title="Proofs")
    for column in ("", "proof", "pass", "found"):
        table.add_column(column)
    for one in verdicts:
        table.add_row("ok" if one.ok else "FAIL", one.proof, one.wanted, one.found)
    Console(width=160).print(table)


if __name__ == "__main__":
    sys.exit(main())
