"""Rules about webhooks: doubled, out of order, unreadable, tampered with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from connector.domain.http import Request
from connector.domain.marketorder import MarketStatus
from connector.sdk.errors import BadWebhook
from connector.sdk.kit.bench import Bench, in_words
from connector.sdk.kit.rule import Trouble, Try
from connector.sdk.kit.shelf import list_one
from connector.sdk.testing.market import Sale
from connector.sdk.values import Capability

_ANY = (Capability.WEBHOOK, Capability.APP_WEBHOOK)
_GARBAGE = (
    *(b"", b"not json", b"\xff\xfe", b"[]", b"null", b"1", b'""', b"{}"),
    *(b'{"events": 1}', b'{"resource": [], "topic": {}}', b"[" * 2000, b'{"a":' * 2000),
)


async def _delivered(bench: Bench, sales: int = 1) -> tuple[list[str], list[Request]]:
    """Sell, and wait for the webhooks; the orders' keys, and what came."""
    bench.simulator.call_back(bench.mailbox_url)
    await list_one(bench, stock=20)
    keys = [bench.buy(Sale(lines=(("kit-1", 1),))) for _ in range(sales)]
    letters = bench.mailbox.letters
    if not await bench.clock.until(lambda: len(letters) >= sales, within_s=600):
        raise Trouble("the simulator's call_back(url) is set, but no webhook came for a sale")
    return keys, letters


def _read(bench: Bench, letter: Request) -> Sequence[str]:
    """The keys a webhook speaks of, for the connection on the bench."""
    now = bench.clock.now()
    if bench.has(Capability.WEBHOOK):
        return bench.adapter.webhook(letter, now)
    adapter = bench.subject.adapter
    calls = adapter.app_webhook(bench.app, letter, now)
    tenant = adapter.tenant(bench.settings)
    strange = {call.tenant for call in calls} - {tenant}
    if strange:
        raise Trouble(
            f"app_webhook() names the accounts {sorted(strange)}, tenant(settings) is {tenant!r}:"
            " both must call the account the same"
        )
    return [call.key for call in calls]


async def duplicates(bench: Bench) -> Iterable[str]:
    """The same letter twice."""
    keys, letters = await _delivered(bench)
    with in_words("reading a webhook"):
        told = [(_read(bench, letter), _read(bench, letter)) for letter in letters]
    problems = [
        f"the same webhook was read as {list(first)}, then as {list(second)}"
        for first, second in told
        if list(first) != list(second)
    ]
    named = {(await bench.order(key)).key for first, _ in told for key in first}
    if set(keys) - named:
        problems.append(
            f"a webhook about {keys} was read as one about {sorted(named) or 'nothing'}"
        )
    return problems


async def out_of_order(bench: Bench) -> Iterable[str]:
    """The last letter first: whatever it says, the order is read anew."""
    keys, letters = await _delivered(bench)
    await bench.order(keys[0])  # as the hub does when the first one comes
    before = len(letters)
    bench.simulator.cancel_order(keys[0], "changed my mind")
    await bench.clock.until(lambda: len(letters) > before, within_s=600)
    problems = []
    for letter in reversed(letters):
        with in_words("reading a webhook"):
            told = _read(bench, letter)
        for key in told:
            order = await bench.order(key)
            if order.key == keys[0] and order.status is not MarketStatus.CANCELLED:
                problems.append(
                    f"the order is {order.status} after a late webhook, it was cancelled: read it"
                    " from the marketplace, not from the webhook"
                )
    return problems


async def garbage(bench: Bench) -> Iterable[str]:
    """Bodies nobody can read, with and without the headers of a real one."""
    _, letters = await _delivered(bench)
    problems = []
    for body in _GARBAGE:
        for headers in ({}, letters[0].headers):
            letter = replace(letters[0], headers=headers, body=body)
            try:
                told = _read(bench, letter)
            except BadWebhook:
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                told = [f"{type(error).__name__}: {error}"]
            if told:
                problems.append(f"a webhook of {body[:30]!r} must be BadWebhook, it was {told}")
    return problems


async def forged(bench: Bench) -> Iterable[str]:
    """One byte changed, or nobody's signature."""
    _, letters = await _delivered(bench)
    genuine = letters[0]
    attempts = {
        "whose body was changed": replace(genuine, body=genuine.body + b" "),
        "without its headers": replace(genuine, headers={}),
    }
    problems = []
    for what, letter in attempts.items():
        try:
            told = _read(bench, letter)
        except BadWebhook:
            continue
        problems.append(f"a webhook {what} was believed: {list(told)}")
    return problems


RULES = (
    Try("webhook-duplicates", duplicates, needs=(Capability.CREATE,), any_of=_ANY),
    Try("webhook-order", out_of_order, needs=(Capability.CREATE,), any_of=_ANY),
    Try("webhook-garbage", garbage, needs=(Capability.CREATE,), any_of=_ANY),
    Try("webhook-forged", forged, needs=(Capability.CREATE,), any_of=_ANY),
)
