"""Rules about single calls: 429, 5xx, 401, lost connections, limits, and what is never told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from connector.domain.http import HttpFailure, Request, Response, json_response
from connector.sdk.errors import AuthExpired, RateLimited, RetryLater
from connector.sdk.kit.bench import Bench, listening
from connector.sdk.kit.probes import SILENT, Answer, probes
from connector.sdk.kit.rule import Try
from connector.sdk.kit.shelf import list_one
from connector.sdk.testing.market import MarketSimulator
from connector.sdk.testing.simulator import Simulator
from connector.sdk.values import Capability, Proceed, TryAgain

_AFTER_S = 7.0
_UNWELL = {
    "a 500": json_response({"message": "Internal error"}, 500),
    "a gateway's 502 page": Response(
        502, {"content-type": "text/html"}, b"<html>Bad Gateway</html>"
    ),
    "a 503": Response(503, {"content-type": "text/plain"}, b"come back later"),
    "a 504": Response(504, {}, b""),
}
_PAGE = Response(200, {"content-type": "text/html"}, b"<html>We will be back soon</html>")
_SOME = 30


async def simulator(bench: Bench) -> Iterable[str]:
    """It plays the marketplace, and the adapter gets through to it."""
    needed = [name for name in dir(MarketSimulator) if not name.startswith("_")]
    missing = [name for name in needed if not hasattr(bench.simulator, name)]
    if missing:
        return [f"the simulator has no {', '.join(missing)}: see connector.sdk.testing.market"]
    name = await bench.adapter.check()
    return [] if name.strip() else ["check() returned no name of the account"]


# --- 429 --------------------------------------------------------------------------------------


async def throttled_with_time(bench: Bench) -> Iterable[str]:
    """RateLimited, or TryAgain for every item, with the time that was told."""
    return [
        f"{answer} after a 429 with Retry-After: {_AFTER_S:g}; raise RateLimited(..., after_s=...)"
        " (connector.sdk.expect does it)"
        for answer in await _under(bench, _throttle(bench, f"{_AFTER_S:g}"))
        if not _held_back(answer, _AFTER_S)
    ]


async def throttled_without_time(bench: Bench) -> Iterable[str]:
    """RateLimited, or TryAgain for every item."""
    return [
        f"{answer} after a 429 without Retry-After; raise RateLimited (connector.sdk.expect does)"
        for answer in await _under(bench, _throttle(bench, ""))
        if not _held_back(answer, 0)
    ]


def _throttle(bench: Bench, retry_after: str) -> Response:
    """The marketplace's own answer to too many calls, with or without a time."""
    plain = json_response({"message": "Too many requests"}, 429)
    made = bench.simulator.throttled() if isinstance(bench.simulator, Simulator) else plain
    kept = {name: value for name, value in made.headers.items() if name != "retry-after"}
    told = {"retry-after": retry_after} if retry_after else {}
    return Response(429, {**kept, **told}, made.body)


def _held_back(answer: Answer, after_s: float) -> bool:
    if answer.outcomes:
        ends = answer.outcomes.values()
        return all(isinstance(end, TryAgain) and end.after_s >= after_s for end in ends)
    return isinstance(answer.raised, RateLimited) and answer.raised.after_s >= after_s


async def _under(bench: Bench, response: Response) -> list[Answer]:
    """Every call while the marketplace answers this and nothing else."""
    made = await probes(bench)
    bench.door.instead = lambda _: response
    return await made.make(bench.bare)


# --- unwell, unauthorized, away -------------------------------------------------------------------


async def server_errors(bench: Bench) -> Iterable[str]:
    """RetryLater, or items left open: nothing is known."""
    made = await probes(bench)
    problems = []
    for what, response in _UNWELL.items():
        bench.door.instead = _always(response)
        problems += [
            f"{answer} after {what}; nothing is known then: raise RetryLater"
            for answer in await made.make(bench.bare)
            if not _left_open(answer)
        ]
    bench.door.instead = _always(_PAGE)
    problems += [
        f"{answer} after a web page where JSON was due; nothing is known then: raise RetryLater"
        for answer in await made.make(bench.bare)
        if answer.operation not in SILENT and not _left_open(answer)
    ]
    return problems


def _always(response: Response) -> Callable[[Request], Response]:
    def answer(_: Request) -> Response:
        return response

    return answer


def _left_open(answer: Answer) -> bool:
    if answer.outcomes is not None:
        again = isinstance(answer.outcomes, dict) and any(
            isinstance(end, TryAgain | Proceed) for end in answer.outcomes.values()
        )
        # TryAgain promises that nothing was done; a creation may have been.
        return not answer.settled and not (again and answer.operation == "create")
    return isinstance(answer.raised, RetryLater)


async def credentials_refused(bench: Bench) -> Iterable[str]:
    """AuthExpired, which stops the connection and asks the operator."""
    refusal = json_response({"message": "unauthorized"}, 401)
    return [
        f"{answer} after a 401; raise AuthExpired (connector.sdk.expect does)"
        for answer in await _under(bench, refusal)
        if not isinstance(answer.raised, AuthExpired)
    ]


async def connection_lost(bench: Bench) -> Iterable[str]:
    """What self.http raises passes, or the SKU is left out."""
    made = await probes(bench)
    bench.door.lose_call = True
    return [
        f"{answer} after the connection broke; let NotSent and NoAnswer pass, or leave the SKU out"
        for answer in await made.make(bench.bare)
        if not isinstance(answer.raised, HttpFailure) and answer.outcomes != {}
    ]


# --- limits, secrets ------------------------------------------------------------------------------


async def limits_hold(bench: Bench) -> Iterable[str]:
    """Many calls as fast as the declared limits allow."""
    lists = bench.has(Capability.CREATE, Capability.PRICE_STOCK)
    terms = await list_one(bench) if lists else None
    for at in range(_SOME):
        with suppress(RateLimited):
            if terms is not None:
                await bench.adapter.update_price_stock([terms.model_copy(update={"stock": at + 1})])
            await bench.adapter.order(f"nobody-{at}")
            if bench.has(Capability.FIND):
                await bench.adapter.find([f"nothing-{at}"])
    met = sum(answer.status == 429 for answer in bench.wire.answers)
    return [f"the declared limits were kept, and {met} calls met a 429: lower them"] if met else []


async def secrets(bench: Bench) -> Iterable[str]:
    """Errors, log lines, URLs and settings while everything goes wrong."""
    hidden = bench.secrets()
    with listening() as lines:
        made = await probes(bench)
        answers = await made.make()
        for status in (400, 401, 403, 404, 409, 422, 500):
            bench.door.instead = _always(json_response({"message": "no"}, status))
            answers += await made.make(bench.bare)
    errors = [answer.raised for answer in answers if answer.raised is not None]
    told = {
        "an error": [f"{error!r} {getattr(error, 'detail', '')}" for error in errors],
        "a log line": lines,
        "a URL": [f"{request.url} {dict(request.query)}" for request in bench.wire.sent],
        "the name of an operation": [request.operation for request in bench.wire.sent],
        "repr(settings)": [repr(bench.settings), repr(bench.app)],
    }
    return [
        f"a secret is in {where}"
        for where, texts in told.items()
        if any(secret in text for secret in hidden for text in texts)
    ]


RULES = (
    Try("simulator", simulator),
    Try("throttled-with-time", throttled_with_time),
    Try("throttled-without-time", throttled_without_time),
    Try("server-errors", server_errors),
    Try("credentials-refused", credentials_refused),
    Try("connection-lost", connection_lost),
    Try("limits-hold", limits_hold),
    Try("secrets", secrets),
)
