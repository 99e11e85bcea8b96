"""Rules about tokens: refreshed once among many, and over when they are over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from pydantic import SecretStr

from connector.sdk.errors import AuthExpired
from connector.sdk.kit.bench import Bench
from connector.sdk.kit.rule import Trouble, Try
from connector.sdk.kit.tokens import TokenHttp
from connector.sdk.values import Capability

_CALLERS = 12


def _signing(bench: Bench) -> TokenHttp:
    if bench.signing is None:
        raise Trouble("there is no token to refresh")
    return bench.signing


async def refresh(bench: Bench) -> Iterable[str]:
    """Many calls meet the same expired token, twice over."""
    problems: list[str] = []
    for _ in range(2):
        before, used = bench.play("refreshes"), _signing(bench).token
        bench.play("expire_tokens")
        calls = (bench.adapter.order(f"nobody-{at}") for at in range(_CALLERS))
        ends = await asyncio.gather(*calls, return_exceptions=True)
        problems += [
            f"a call that met an expired token raised {type(end).__name__}: {end}"
            for end in ends
            if isinstance(end, BaseException)
        ]
        times = bench.play("refreshes") - before
        if times != 1:
            problems.append(f"{_CALLERS} calls met an expired token: {times} refreshes, wanted one")
        if _signing(bench).token.access == used.access:
            problems.append("refresh_token() returned the old access token")
    return list(dict.fromkeys(problems))


async def over(bench: Bench) -> Iterable[str]:
    """A refresh token that is not accepted."""
    token = _signing(bench).token.model_copy(update={"refresh": SecretStr("kit-no-such-token")})
    try:
        await bench.subject.adapter.refresh_token(bench.app, bench.settings, bench.wire, token)
    except AuthExpired:
        return []
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return [f"refresh_token() of a grant that is over raised {type(error).__name__}: {error}"]
    return ["refresh_token() accepted a refresh token that the marketplace never gave"]


RULES = (
    Try(
        "token-refresh",
        refresh,
        needs=(Capability.TOKENS,),
        tricks=("expire_tokens", "refreshes"),
    ),
    Try("token-over", over, needs=(Capability.TOKENS,)),
)
