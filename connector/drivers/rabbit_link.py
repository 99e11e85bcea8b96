"""A connection to RabbitMQ that is renewed whenever it is lost.

aio-pika's own robust connection is not used: it reconnects at fixed intervals, all processes at
once; it lets a publish wait for a connection without limit; and it restores consumers by rules of
its own. Here a lost connection is an error for whoever uses it, and a new one is made beside.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AuthenticationError,
    ProbableAuthenticationError,
)
from aiormq.exceptions import ConnectionNotAllowed
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_random_exponential,
)
from yarl import URL

from connector.ports import Metrics

_log = structlog.get_logger(__name__)

FAILURES = (*CONNECTION_EXCEPTIONS, TimeoutError)
"""Whatever goes wrong between us and RabbitMQ."""

_REFUSED = (AuthenticationError, ProbableAuthenticationError, ConnectionNotAllowed)
"""Trying again does not help: user, password or virtual host are wrong."""

HEARTBEAT_S = 15
_CONNECT_S = 5.0
_CLOSE_S = 4.0
_LONGEST_PAUSE_S = 5.0


class BrokerUnavailable(Exception):
    """RabbitMQ cannot be reached, or refuses us."""


def read_url(url: str) -> URL:
    """An AMQP address, with the hub's heartbeat unless it names another.

    Raises:
        ValueError: it is none; the text does not repeat it, as it may hold a password.
    """
    try:
        parsed = URL(url)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in {"amqp", "amqps"} or not parsed.host:
        raise ValueError("the broker's address must look like amqp://user:password@host/vhost")
    return parsed if "heartbeat" in parsed.query else parsed.update_query(heartbeat=HEARTBEAT_S)


def place(url: URL) -> str:
    """The address as it may be shown: without user, password and options."""
    return str(url.with_user(None).with_query(None))


class Link:
    """Keeps one connection, for one ``use`` ("publish", "consume"): an alarm of RabbitMQ stops
    connections that publish, and must not stop those that consume.
    """

    def __init__(self, url: URL, *, use: str, metrics: Metrics) -> None:
        self._url = url
        self._use = use
        self._metrics = metrics
        self._connection: AbstractConnection | None = None
        self._connected = asyncio.Event()
        self._lost = asyncio.Event()
        self._refused = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._trouble = ""
        """What the last attempt to connect ended with."""

    async def open(self, *, patience_s: float) -> None:
        """Begin, and wait for the first connection.

        Raises:
            BrokerUnavailable: none within ``patience_s``, or we are refused.
        """
        self.start()
        await first_of(self._connected, self._refused, within_s=patience_s)
        if self._refused.is_set():
            why = "refuses us: check user, password and virtual host"
        else:
            why = (
                f"did not answer for {patience_s:g} s ({self._trouble or 'no connection'}): check"
                " address, port and virtual host"
            )
        if not self._connected.is_set():
            raise BrokerUnavailable(f"RabbitMQ at {place(self._url)} {why}")

    def start(self) -> None:
        """Begin to connect, once."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name=f"rabbit {self._use}")

    async def connection(self) -> AbstractConnection:
        """The connection, as soon as there is one: whoever asks limits the wait."""
        while self._connection is None:
            await self._connected.wait()
        return self._connection

    def drop(self, connection: AbstractConnection) -> None:
        """It does not answer any more: make another one."""
        if connection is self._connection:
            self._mark_lost()

    async def close(self) -> None:
        """End the connection."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            connection = await self._connect()
            try:
                await self._lost.wait()
                self._metrics.count("broker_connections_lost_total", use=self._use)
                _log.warning("broker_connection_lost", use=self._use, broker=place(self._url))
            finally:
                self._mark_lost()
                self._leave(connection)

    def _leave(self, connection: AbstractConnection) -> None:
        """Close it aside: one that does not answer takes seconds, and the next need not wait."""
        task = asyncio.create_task(_end(connection), name=f"rabbit {self._use} ends")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _connect(self) -> AbstractConnection:
        """Try until it works, at moments that differ between processes."""
        patient = AsyncRetrying(
            wait=wait_random_exponential(multiplier=0.2, max=_LONGEST_PAUSE_S),
            retry=retry_if_exception_type(FAILURES),
            before_sleep=self._note_failure,
        )
        async for attempt in patient:
            with attempt:
                connection = await _connected(self._url, f"hub {self._use}")
        self._lost.clear()
        # Non-robust connections tell only here that they were lost: `is_closed` stays False.
        connection.close_callbacks.add(lambda *_: self.drop(connection))
        self._connection = connection
        transport = connection.transport
        if transport is None or transport.connection.is_closed:
            self._mark_lost()
        else:
            self._connected.set()
        return connection

    def _mark_lost(self) -> None:
        self._connection = None
        self._connected.clear()
        self._lost.set()

    def _note_failure(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        self._trouble = type(error).__name__
        if isinstance(error, _REFUSED):
            self._refused.set()
        _log.warning(
            "broker_not_reached",
            use=self._use,
            broker=place(self._url),
            attempt=state.attempt_number,
            error=type(error).__name__,
        )


async def _connected(url: URL, name: str) -> AbstractConnection:
    connection = aio_pika.Connection(url, client_properties={"connection_name": name})
    try:
        async with broker_errors(), asyncio.timeout(_CONNECT_S):
            await connection.connect()
    except BaseException:
        await _end(connection)
        raise
    return connection


async def _end(connection: AbstractConnection) -> None:
    """Close without believing that the other side still answers."""
    with contextlib.suppress(*FAILURES):
        async with broker_errors(), asyncio.timeout(_CLOSE_S):
            await connection.close()
    if not connection.is_closed:
        # The first try has let go of the socket; this one notes that it is over. Otherwise
        # aio-pika tries again when the object is collected, outside of any loop.
        await connection.close()


@contextlib.asynccontextmanager
async def broker_errors() -> AsyncIterator[None]:
    """Tell a cancellation of ours from one that aiormq makes up.

    When its connection ends, whatever waits for RabbitMQ there is *cancelled*, though nobody
    cancelled the task that waits. Taken for a cancellation, that would end a consumer silently.
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise ConnectionError("the connection ended") from None


async def first_of(*events: asyncio.Event, within_s: float | None = None) -> bool:
    """Wait until one of the events is set; False where none is within the time."""
    waits = {asyncio.ensure_future(event.wait()) for event in events}
    try:
        done, _ = await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for wait in waits:
            wait.cancel()
