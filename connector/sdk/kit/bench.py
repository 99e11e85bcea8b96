"""A simulated marketplace behind real HTTP, with the adapter in front of it, for one rule."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr, ValidationError

from connector.domain.http import HttpFailure
from connector.domain.marketorder import Invoice, MarketOrder, MarketStatus
from connector.domain.offer import Offer
from connector.sdk.adapter import Adapter
from connector.sdk.errors import AdapterError
from connector.sdk.kit import sample, tokens
from connector.sdk.kit.clock import StepClock
from connector.sdk.kit.loopback import Door, LoopbackHttp, Mailbox, outbound, served
from connector.sdk.kit.rule import Trouble
from connector.sdk.kit.subject import Subject
from connector.sdk.kit.wire import Wire
from connector.sdk.testing.market import MarketSimulator, Sale
from connector.sdk.testing.tricks import offers, purpose
from connector.sdk.values import AdapterSettings, Capability

_PATIENCE_S = 86_400.0


@dataclass
class Bench:
    """All that a rule needs to try an adapter out.

    ``adapter`` is what the hub would have; ``bare`` the same without token handling.
    """

    subject: Subject
    clock: StepClock
    simulator: MarketSimulator
    door: Door
    wire: Wire
    settings: AdapterSettings
    app: AdapterSettings | None
    adapter: Adapter[Any]
    bare: Adapter[Any]
    signing: tokens.TokenHttp | None
    mailbox: Mailbox
    mailbox_url: str

    def has(self, *capabilities: Capability) -> bool:
        """Whether the adapter declares all of these."""
        return set(capabilities) <= self.adapter.capabilities

    def play(self, trick: str, *arguments: Any) -> Any:
        """Let the simulator do a trick.

        Raises:
            Trouble: it does not know it.
        """
        if not offers(self.simulator, trick):
            raise Trouble(missing_trick(trick))
        return getattr(self.simulator, trick)(*arguments)

    def secrets(self) -> list[str]:
        """Every secret value that is in play."""
        models = [self.settings, self.app, self.signing.token if self.signing else None]
        return [
            value.get_secret_value()
            for model in models
            if model is not None
            for _, value in model
            if isinstance(value, SecretStr) and value.get_secret_value()
        ]

    def offer(self, sku: str, **changes: Any) -> Offer:
        """A good offer of the kind this marketplace takes.

        Raises:
            Trouble: the adapter's own rules refuse it.
        """
        made = self.dressed(sku, **changes)
        if broken := self.adapter.validate(made):
            raise Trouble(
                f"validate() refuses the kit's sample offer ({'; '.join(broken)}): give the"
                " simulator a dress(offer) that adds what this marketplace wants"
            )
        return made

    def dressed(self, sku: str, **changes: Any) -> Offer:
        """An offer of the kind this marketplace takes, whether the rules allow it or not."""
        content = {"market_category": self.simulator.some_category(), **changes}
        plain = sample.offer(sku, **content)
        made = self.play("dress", plain) if offers(self.simulator, "dress") else plain
        if not isinstance(made, Offer):
            raise Trouble("the simulator's dress(offer) must return an offer")
        return made

    def invoice(self, number: str, order: MarketOrder) -> Invoice:
        """An invoice over the whole order, of the kind this marketplace takes."""
        line = order.lines[0]
        plain = sample.invoice(number, order.total_minor, order.currency, line.sku, line.quantity)
        if not offers(self.simulator, "dress_invoice"):
            return plain
        made = self.play("dress_invoice", plain)
        return made if isinstance(made, Invoice) else plain

    def buy(self, sale: Sale) -> str:
        """Let a buyer buy; returns the order's key.

        Raises:
            Trouble: the simulator does not sell what was listed.
        """
        key = self.simulator.buy(sale)
        if key is None:
            raise Trouble(
                f"the simulator's buy() does not sell {sale.lines}, which was just listed"
            )
        return key

    async def order(self, key: str) -> MarketOrder:
        """Read an order that exists.

        Raises:
            Trouble: the adapter does not find it.
        """
        order = await self.adapter.order(key)
        if order is None:
            raise Trouble(f"order({key!r}) is None, though the marketplace has that order")
        return order

    async def released(self, key: str) -> MarketOrder:
        """Read an order until it may be shipped; accepts it where that is what it waits for."""
        waited = 0.0
        order = await self.order(key)
        while order.status is MarketStatus.PENDING and waited < _PATIENCE_S:
            if order.needs_acceptance and not order.accepted and self.has(Capability.ACCEPT):
                await self.adapter.accept(order.key)
            await self.clock.advance(60)
            waited += 60
            order = await self.order(key)
        if order.status is not MarketStatus.PAID:
            raise Trouble(
                f"a paid order is {order.status} after a day (the marketplace says"
                f" {order.raw_status!r}): order() must map that status to MarketStatus.PAID"
            )
        return order


def missing_trick(trick: str) -> str:
    """What to say of a simulator that lacks a trick."""
    return (
        f"the simulator has no {trick}() ({purpose(trick)}): add it, see"
        " connector.sdk.testing.tricks, or exempt this rule in quality.toml with the reason"
    )


@contextmanager
def in_words(what: str) -> Iterator[None]:
    """Turn whatever an adapter raises, but must not raise here, into trouble."""
    try:
        yield
    except (Trouble, AssertionError):
        raise
    except (AdapterError, HttpFailure) as error:
        raise Trouble(f"{what} raised {type(error).__name__}: {error}") from error
    except Exception as error:
        raise Trouble(
            f"{what} raised {type(error).__name__}: {error} - only the errors of"
            " connector.sdk.errors mean something to the hub"
        ) from error


@asynccontextmanager
async def open_bench(subject: Subject) -> AsyncIterator[Bench]:
    """Serve the adapter's simulator, and make an adapter that reaches it.

    Raises:
        Trouble: there is no simulator, or the adapter cannot be made to reach it.
    """
    if subject.simulator is None:
        raise Trouble("the package has no SIMULATOR: there is nothing to try the adapter against")
    clock = StepClock()
    async with AsyncExitStack() as closing:
        out = await closing.enter_async_context(outbound())
        with in_words("SIMULATOR(clock=..., outbound=...)"):
            simulator: MarketSimulator = subject.simulator(clock=clock, outbound=out)
        closing.push_async_callback(simulator.close)
        door, mailbox = Door(simulator), Mailbox()
        url = await closing.enter_async_context(served(door))
        mailbox_url = await closing.enter_async_context(served(mailbox))
        adapter = subject.adapter
        settings, app = _settings(adapter, simulator, url)
        with in_words("base_url(settings)"):
            base_url = adapter.base_url(settings)
        http = LoopbackHttp(base_url, url.partition("://")[2], clock)
        closing.push_async_callback(http.close)
        wire = Wire(http, clock, adapter.limits)
        signing = None
        if Capability.TOKENS in adapter.capabilities:
            signing = await _consented(adapter, simulator, wire, settings, app)
        yield Bench(
            subject=subject,
            clock=clock,
            simulator=simulator,
            door=door,
            wire=wire,
            settings=settings,
            app=app,
            adapter=adapter(settings, signing or wire, clock, app),
            bare=adapter(settings, wire, clock, app),
            signing=signing,
            mailbox=mailbox,
            mailbox_url=mailbox_url,
        )


def _settings(
    adapter: type[Adapter[Any]], simulator: MarketSimulator, url: str
) -> tuple[AdapterSettings, AdapterSettings | None]:
    with in_words("the simulator's seller_settings(base_url)"):
        told = simulator.seller_settings(url)
    try:
        settings = adapter.settings_model.model_validate(told)
        model = adapter.app_settings_model
        if model is None or not offers(simulator, "app_settings"):
            return settings, None
        return settings, model.model_validate(simulator.app_settings(url))  # type: ignore[attr-defined]
    except ValidationError as error:
        names = sorted({".".join(map(str, each["loc"])) for each in error.errors()})
        raise Trouble(f"the simulator's settings do not fit the adapter's: {names}") from None


async def _consented(
    adapter: type[Adapter[Any]],
    simulator: MarketSimulator,
    wire: Wire,
    settings: AdapterSettings,
    app: AdapterSettings | None,
) -> tokens.TokenHttp:
    """Have the merchant agree, and trade the code for the first token."""
    for trick in ("app_settings", "consent"):
        if not offers(simulator, trick):
            raise Trouble(missing_trick(trick))
    asked = tokens.consent()
    with in_words("authorize_url(...)"):
        url = adapter.authorize_url(app, settings, asked)
    with in_words("the simulator's consent(url)"):
        code = simulator.consent(url)  # type: ignore[attr-defined]
    with in_words("exchange_code(...)"):
        token = await adapter.exchange_code(app, settings, wire, code, asked)
    return tokens.TokenHttp(wire, adapter, app, settings, token)


@contextmanager
def listening() -> Iterator[list[str]]:
    """Everything that is logged meanwhile, through the standard library, at any level."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not record.name.startswith("aiohttp."):  # the simulator's own server
                lines.append(self.format(record))

    root, keep = logging.getLogger(), Keep()
    level = root.level
    root.addHandler(keep)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(keep)
        root.setLevel(level)
