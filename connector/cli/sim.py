"""``connector sim``: the simulators as real servers, to try things out against."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click
from pydantic import SecretStr

from connector.cli.printing import examples, json_option, note, print_json
from connector.cli.running import Stop, run
from connector.drivers.clock import SystemClock
from connector.ports import Json
from connector.sandbox.server import FAULT_LEVELS, OutboundHttp, faults_of, serve_simulator
from connector.sandbox.vtexsim import VtexSimSettings, VtexSimulator
from connector.sdk import Adapter
from connector.sdk.registry import discover
from connector.sdk.testing.simulator import Simulator
from connector.sdk.testing.tricks import offers

_LOSSES: Mapping[str, Mapping[str, float]] = {
    "none": {},
    "normal": {"notify_duplicate": 0.05, "notify_late": 0.05, "callback_duplicate": 0.02},
    "hard": {
        "notify_loss": 0.05,
        "notify_duplicate": 0.1,
        "notify_late": 0.1,
        "callback_duplicate": 0.1,
        "processing_duplicate": 0.05,
        "processing_loss": 0.02,
    },
}
"""What goes wrong with the simulated VTEX's own calls, besides the calls into it."""

_Options = Callable[[Callable[..., None]], Callable[..., None]]


def _shared(port: int) -> _Options:
    """Options that every simulator has."""
    options = (
        click.option("--host", default="127.0.0.1", show_default=True),
        click.option("--port", type=click.IntRange(0, 65_535), default=port, show_default=True,
                     help="0 takes any free one."),
        click.option("--seed", type=int, default=1, show_default=True),
        click.option("--time-scale", type=click.FloatRange(min=0, min_open=True), default=1.0,
                     show_default=True, help="How much faster than the wall its time passes."),
        click.option("--faults", type=click.Choice(FAULT_LEVELS), default="none",
                     show_default=True, help="How often it fails, times out, repeats itself."),
        json_option,
    )  # fmt: skip

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@click.group(short_help="Run a simulated VTEX or marketplace.")
def sim() -> None:
    """Run a simulated VTEX account or marketplace as a server, until Ctrl-C."""


@sim.command(epilog=examples("connector sim vtex --skus 500 --faults normal"))
@_shared(9001)
@click.option("--skus", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--account", default="simstore", show_default=True)
def vtex(  # noqa: PLR0917 - click passes them by keyword
    host: str,
    port: int,
    seed: int,
    time_scale: float,
    faults: str,
    as_json: bool,
    skus: int,
    account: str,
) -> None:
    """Simulate a VTEX account: catalog, prices, stock, orders, notifications and callbacks.

    What sellers do is done below /_sim: GET /_sim/skus, POST /_sim/do/price, ...
    """
    settings = VtexSimSettings(account=account, app_key=f"vtexappkey-{account}-SIMULA")
    settings.apply(dict(_LOSSES[faults]))

    async def work() -> None:
        outbound = OutboundHttp()
        simulator = VtexSimulator(
            clock=SystemClock(time_scale),
            outbound=outbound,
            seed=seed,
            faults=faults_of(faults),
            settings=settings,
            n_skus=skus,
        )
        await _serve(
            simulator, outbound, host, port, lambda url: _tell_vtex(url, settings, as_json)
        )

    run(work())


@sim.command(epilog=examples("connector sim marketplace --adapter demo --port 9002"))
@_shared(9002)
@click.option("--adapter", "name", default="demo", show_default=True)
def marketplace(  # noqa: PLR0917 - click passes them by keyword
    host: str, port: int, seed: int, time_scale: float, faults: str, as_json: bool, name: str
) -> None:
    """Simulate the marketplace of an adapter that brings a simulator.

    What buyers do is done below /_sim; tell it where to send webhooks with POST /_sim/settings.
    """
    registry = discover()
    try:
        adapter = registry.get(name)
    except LookupError as error:
        raise Stop(str(error)) from None
    made = getattr(registry.modules[name], "SIMULATOR", None)
    if made is None:
        having = [each for each, module in registry.modules.items() if hasattr(module, "SIMULATOR")]
        raise Stop(f"adapter {name} brings no simulator; these do: {', '.join(having) or 'none'}")

    async def work() -> None:
        outbound = OutboundHttp()
        simulator = made(
            clock=SystemClock(time_scale), outbound=outbound, seed=seed, faults=faults_of(faults)
        )
        await _serve(
            simulator,
            outbound,
            host,
            port,
            lambda url: _tell_market(url, name, _wanted(simulator, adapter, url), as_json),
        )

    run(work())


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the hub has to be told to reach a simulator."""

    settings: Json
    secret: tuple[str, ...]
    application: Json


def _wanted(simulator: Any, adapter: type[Adapter[Any]], url: str) -> _Wanted:
    fields = adapter.settings_model.model_fields
    secret = tuple(each for each, field in fields.items() if field.annotation is SecretStr)
    application = simulator.app_settings(url) if offers(simulator, "app_settings") else {}
    return _Wanted(simulator.seller_settings(url), secret, application)


async def _serve(
    simulator: Simulator,
    outbound: OutboundHttp,
    host: str,
    port: int,
    tell: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        runner, url = await serve_simulator(simulator, host, port)
    except OSError as error:
        await outbound.close()
        raise Stop(f"cannot listen on {host}:{port}: {error.strerror}") from None
    try:
        tell(url)
        await stopped.wait()
    finally:
        await runner.cleanup()
        await simulator.close()
        await outbound.close()


def _tell_vtex(url: str, settings: VtexSimSettings, as_json: bool) -> None:
    spec: Json = {
        "account": settings.account,
        "affiliate_id": "MKT",
        "sales_channel": settings.sales_channel,
        "app_key": settings.app_key,
        "app_token": settings.app_token,
        "vtex_base_url": url,
    }
    if as_json:
        print_json({"base_url": url, "control": f"{url}/_sim", "connection": spec})
        return
    note(f"a simulated VTEX account answers at {url}; its keys open nothing real")
    note("put this into a connection's file, with adapter and adapter_settings:")
    print_json(spec)
    _tell_control(url, "skus")


def _tell_market(url: str, name: str, wanted: _Wanted, as_json: bool) -> None:
    spec: Json = {"adapter": name, "adapter_settings": wanted.settings}
    application = {name: wanted.application} if wanted.application else {}
    if as_json:
        told = {"base_url": url, "control": f"{url}/_sim", "connection": spec}
        print_json(told | ({"application": application} if application else {}))
        return
    note(f"a simulated {name} marketplace answers at {url}")
    if wanted.secret:
        note(f"its secrets ({', '.join(wanted.secret)}) open nothing real")
    note("put this into a connection's file:")
    print_json(spec)
    _tell_control(url, "settings")
    if application:
        plain = json.dumps(application)
        note(f"it knows the hub as an application: CONNECTOR_ADAPTER_APP_SETTINGS='{plain}'")


def _tell_control(url: str, example: str) -> None:
    host = url.partition("://")[2]
    note(f"control it below {url}/_sim, for example: curl {url}/_sim/{example}")
    note(f"and let the hub call it: CONNECTOR_ALLOW_HOSTS={host}")
