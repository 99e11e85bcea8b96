"""Runs the hub as a process: its servers and its workers, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Literal, Self

import structlog
from aiohttp import web

from connector.bootstrap.hub import open_hub
from connector.bootstrap.keys import StartError
from connector.drivers import logs
from connector.drivers.metrics import PrometheusMetrics
from connector.flows.hub import Hub
from connector.flows.turns import Workers
from connector.ports import StoreUnavailable
from connector.settings import Settings, SettingsError, host_port, unknown_names
from connector.web.admin import AdminSite, Readiness
from connector.web.public import PublicSite
from connector.web.serving import quiet_logger

RoleName = Literal["all", "web", "worker"]
CANNOT_START = 2
_BACKLOG = 1024
_DRAIN_SHARE = 0.8
"""How much of ``shutdown_s`` work under way gets; the rest is for letting go of everything."""
_SWEEP_S, _SHARED_SWEEP_S = 0.02, 0.2
"""At least so long between two looks at what became due: many processes look at one ledger, where
something becomes due all the time, and what is urgent is rung for anyway.
"""
_GRACE_S = 2.0
"""What is cut off then may still say so."""
_COUNTING_SHARE = 20
_COUNTING_S = 1.0
"""So long a scrape waits for a count: without an answer in time it would show nothing at all."""

_log = structlog.get_logger(__name__)


async def serve(
    settings: Settings, *, role: RoleName = "all", adapters: Sequence[str] | None = None
) -> int:
    """Run the hub until SIGTERM or SIGINT; returns the exit code."""
    redactor = logs.Redactor(settings.secrets())
    logs.configure(redactor, level=settings.log_level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        for warning in (*settings.require_serve(), *map(_stranger, unknown_names(os.environ))):
            _log.warning("settings", note=warning)
        async with Process(settings, role, adapters) as process:
            return await process.run(stop)
    except (StartError, SettingsError) as error:
        sys.stderr.write(f"connector cannot start: {error}\n")
        return CANNOT_START
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _keep_loaded() -> None:
    """What was loaded to start with lives until the end: no use in looking for garbage in it.

    Looking through all of it would stop everything for 40 to 60 ms, every ten seconds or so.
    """
    gc.collect()
    gc.freeze()


def _stranger(name: str) -> str:
    return f"{name} is no setting of the hub"


class Process:
    """One process of the hub: its servers and its workers, started in order and stopped in order.

    Ports are taken first, so that a taken one is noticed before anything happens; they answer
    last, once everything behind them works.
    """

    def __init__(
        self, settings: Settings, role: RoleName, adapters: Sequence[str] | None = None
    ) -> None:
        self._settings = settings
        self._role = role
        self._adapters = adapters
        self._drain_s = _DRAIN_SHARE * settings.shutdown_s
        self._closing = AsyncExitStack()
        self._public: web.ServerRunner | None = None
        self._site: PublicSite | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._closing.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    async def _open(self) -> None:
        settings = self._settings
        sockets = [self._taken(settings.admin_bind, "CONNECTOR_ADMIN_BIND")]
        if self._role != "worker":
            sockets.append(self._taken(settings.bind, "CONNECTOR_BIND"))
        self._sockets = sockets
        metrics = PrometheusMetrics()
        # One ledger for many may be used by many, even where each has turns of its own.
        alone = self._role == "all" and settings.embedded and not settings.shared
        opened = open_hub(settings, metrics=metrics, alone=alone)
        self._hub = await self._closing.enter_async_context(opened)
        known = self._hub.registry.found
        for name in self._adapters or ():
            if name not in known:
                raise StartError(f"there is no adapter {name}: found {', '.join(sorted(known))}")
        for name, why in self._hub.registry.broken.items():
            _log.error("adapter_broken", adapter=name, why=why)
        self._readiness = Readiness(self._hub)
        gauges = PendingGauges(self._hub, metrics)
        self._closing.push_async_callback(gauges.close)

        admin = AdminSite(
            self._hub,
            readiness=self._readiness,
            render=gauges.render,
            tokens=settings.tokens(),
            allow_hosts=settings.allow_hosts,
        )
        self._admin = web.AppRunner(
            admin.app(), access_log=None, logger=quiet_logger(), shutdown_timeout=1
        )
        await self._admin.setup()
        self._closing.push_async_callback(self._admin.cleanup)
        if self._role != "worker":
            await self._open_public()

    async def _open_public(self) -> None:
        settings = self._settings
        secret = settings.app_secret.get_secret_value() if settings.app_secret else ""
        self._site = PublicSite(
            self._hub, app_secret=secret, app_settings=settings.adapter_app_settings
        )
        self._public = web.ServerRunner(self._site.server(), shutdown_timeout=self._drain_s)
        await self._public.setup()
        self._closing.push_async_callback(self._public.cleanup)

    async def run(self, stop: asyncio.Event) -> int:
        """Serve until ``stop``, then finish what was begun; returns the exit code."""
        work: asyncio.Task[None] | None = None
        if self._role != "web":
            rest = _SHARED_SWEEP_S if self._settings.shared else _SWEEP_S
            workers = Workers(self._hub, self._adapters, sweep_at_least_s=rest)
            work = asyncio.create_task(workers.run(stop, drain_s=self._drain_s))
        try:
            urls = await self._listen()
        except StartError:
            stop.set()
            if work is not None:
                await work
            raise
        _keep_loaded()
        self._readiness.serving = True
        _log.info("ready", role=self._role, **urls)
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({waiting, *([work] if work else [])}, return_when="FIRST_COMPLETED")
        crashed = not stop.is_set()
        stop.set()
        await self._drain(work)
        await waiting
        return 1 if crashed else 0

    async def _listen(self) -> dict[str, str]:
        """Open the sockets, the admin's first; tells where they are."""
        urls = {}
        runners: list[tuple[str, web.BaseRunner]] = [("admin", self._admin)]
        if self._public is not None:
            runners.append(("public", self._public))
        for (name, runner), sock in zip(runners, self._sockets, strict=True):
            try:
                await web.SockSite(runner, sock, backlog=_BACKLOG).start()
            except OSError as error:
                raise StartError(f"the {name} port is taken: {error.strerror}") from error
            host, port = sock.getsockname()[:2]
            urls[name] = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        return urls

    async def _drain(self, work: asyncio.Task[None] | None) -> None:
        """Stop taking, finish what was taken; the process ends within ``shutdown_s``."""
        began = time.monotonic()
        self._readiness.serving = False
        _log.info("stopping", within_s=self._settings.shutdown_s)
        parts = {work} if work is not None else set()
        if self._public is not None:
            parts.add(asyncio.create_task(self._close_public(self._public)))
        _, late = await asyncio.wait(parts, timeout=self._drain_s + _GRACE_S)
        for part in late:
            part.cancel()
        for result in await asyncio.gather(*parts, return_exceptions=True):
            if isinstance(result, BaseException):
                _log.error("stopped_badly", error=type(result).__name__, why=str(result))
        _log.info("stopped", ms=round((time.monotonic() - began) * 1000))

    async def _close_public(self, runner: web.ServerRunner) -> None:
        for site in list(runner.sites):
            await site.stop()
        if self._site is not None:
            await self._site.settle(self._drain_s)
        await runner.cleanup()

    def _taken(self, address: str, setting: str) -> socket.socket:
        """Take a port without answering on it yet."""
        host, port = host_port(address)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        self._closing.callback(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        try:
            sock.bind((host, port))
        except OSError as error:
            raise StartError(
                f"{setting}={address} cannot be used ({error.strerror}): is another hub running?"
            ) from error
        return sock


class PendingGauges:
    """The gauges of the pending set, brought up to date when they are asked for.

    Counting a large ledger takes a while and every process is asked: it may take a twentieth of
    the time, no more. Nobody waits long for it: while the ledger is away, or counting goes on, what
    was counted last is shown, beside all that is known without it.
    """

    def __init__(self, hub: Hub, metrics: PrometheusMetrics) -> None:
        self._hub = hub
        self._metrics = metrics
        self._not_before = 0.0
        self._counting: asyncio.Task[None] | None = None

    async def render(self) -> tuple[bytes, str]:
        """Everything there is to show, with its content type."""
        if self._counting is None and time.monotonic() >= self._not_before:
            self._counting = asyncio.create_task(self._count())
        if self._counting is not None:
            await asyncio.wait({self._counting}, timeout=_COUNTING_S)
        return self._metrics.render()

    async def close(self) -> None:
        """Stop counting."""
        if self._counting is not None:
            self._counting.cancel()
            await asyncio.gather(self._counting, return_exceptions=True)

    async def _count(self) -> None:
        began, share = time.monotonic(), 1
        try:
            await self._show()
            share = _COUNTING_SHARE
        except StoreUnavailable as error:  # it may be back soon
            _log.warning("pending_not_counted", why=str(error))
        finally:
            now = time.monotonic()
            self._not_before = now + share * (now - began)
            self._counting = None

    async def _show(self) -> None:
        metrics, now = self._metrics, self._hub.now()
        found = await self._hub.store.pending_stats(now)
        metrics.clear("pending_keys")
        metrics.clear("pending_oldest_seconds")
        for stats in found:
            where, context = stats.connection, stats.context
            counts = {"due": stats.due, "waiting": stats.waiting, "parked": stats.parked}
            for state, count in counts.items():
                metrics.gauge("pending_keys", count, connection=where, context=context, state=state)
            age = (now - stats.oldest_due).total_seconds() if stats.oldest_due else 0
            metrics.gauge(
                "pending_oldest_seconds", max(0.0, age), connection=where, context=context
            )
