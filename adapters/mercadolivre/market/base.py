"""The simulated Mercado Livre's door: consent, tokens, limits and the shape of its errors."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from adapters.mercadolivre.market.state import MercadoSimSettings
from connector.sdk import Clock, Http, Request, Response, json_response
from connector.sdk.testing.simulator import Faults, Simulator, route

_OPEN = ("/authorization", "/oauth/token")


def problem(status: int, code: str, message: str, cause: list[Any] | None = None) -> Response:
    """A refusal in the standard shape."""
    body = {"message": message, "error": code, "status": status, "cause": cause or []}
    return json_response(body, status)


def invalid(*causes: tuple[int, str, str]) -> Response:
    """A validation error; each cause is (id, code, words)."""
    listed = [
        {
            "department": "items",
            "cause_id": ident,
            "type": "error",
            "code": code,
            "references": ["item"],
            "message": words,
        }
        for ident, code, words in causes
    ]
    return problem(400, "validation_error", "Validation error", listed)


class Bucket:
    """A token bucket on the injected clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left: float | None = None
        self._at = clock.now()

    def take(self, rate: float, burst: float) -> bool:
        """Take a token, if there is one."""
        now = self._clock.now()
        left = burst if self._left is None else self._left
        left = min(burst, left + (now - self._at).total_seconds() * rate)
        self._at = now
        self._left = left - 1 if left >= 1 else left
        return left >= 1


@dataclass(slots=True)
class Granted:
    """What a code or a token stands for."""

    user_id: str
    until: datetime
    redirect_uri: str = ""
    challenge: str = ""


class Market(Simulator):
    """What all of the API stands on."""

    def __init__(
        self,
        *,
        clock: Clock,
        outbound: Http,
        seed: int = 0,
        faults: Faults | None = None,
        settings: MercadoSimSettings | None = None,
    ) -> None:
        super().__init__(clock=clock, outbound=outbound, seed=seed, faults=faults)
        self.settings = settings or MercadoSimSettings()
        self.base_url = ""
        self._calls = Bucket(clock)
        self._stock_calls = Bucket(clock)
        self._numbers: dict[str, int] = {}
        self._codes: dict[str, Granted] = {}
        self._access: dict[str, Granted] = {}
        self._refresh: dict[str, Granted] = {}
        self._refreshed = 0
        self._grant_lost = False

    def now(self) -> datetime:
        """This moment on the injected clock."""
        return self.clock.now()

    def next_id(self, kind: str, first: int) -> str:
        """The next number of a kind."""
        made = self._numbers[kind] = self._numbers.get(kind, first) + 1
        return str(made)

    # --- who calls, and how often -----------------------------------------------------------------

    def refuse_unauthorized(self, request: Request) -> Response | None:
        """Ask for a token that still works, then for patience."""
        where = request.url.partition("?")[0]
        if where not in _OPEN:
            granted = self.caller(request)
            if granted is None:
                self.record("call.unauthorized", path=where)
                return problem(401, "not_found", "invalid access token")
        return self._over_limit(where) if self.settings.limits else None

    def caller(self, request: Request) -> Granted | None:
        """Whose token a request carries, if it still works."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        granted = self._access.get(headers.get("authorization", "").removeprefix("Bearer "))
        return granted if granted is not None and granted.until > self.now() else None

    def stranger(self, request: Request) -> bool:
        """Whether the token is another account's than the seller's."""
        granted = self.caller(request)
        return granted is None or granted.user_id != self.settings.user_id

    def _over_limit(self, where: str) -> Response | None:
        settings = self.settings
        free = self._calls.take(settings.rate, settings.burst)
        if free and where.endswith("/stock/type/selling_address"):
            per_minute = settings.stock_per_minute
            free = self._stock_calls.take(per_minute / 60, per_minute)
        if free:
            return None
        self.record("call.throttled", path=where)
        return self.throttled()

    def throttled(self) -> Response:
        """The documented body, and no word of how long to wait."""
        return problem(429, "local_rate_limited", "local_rate_limited")

    # --- consent ---------------------------------------------------------------------------------

    @route("GET", "/authorization")
    async def authorize(self, request: Request) -> Response:
        """The consent page, with a merchant who agrees at once."""
        query = dict(request.query) or dict(parse_qsl(urlsplit(request.url).query))
        if query.get("client_id") != self.settings.client_id or not query.get("redirect_uri"):
            return problem(400, "invalid_client", "unknown application or redirect_uri")
        code = self._new_code(query)
        back = urlencode({"code": code, "state": query.get("state", "")})
        joint = "&" if "?" in query["redirect_uri"] else "?"
        return Response(302, {"location": f"{query['redirect_uri']}{joint}{back}"})

    def _new_code(self, query: dict[str, str]) -> str:
        code = f"TG-{self.next_id('code', 1000)}-{self.rng.randrange(10**12):012}"
        self._codes[code] = Granted(
            user_id=self.settings.login or self.settings.user_id,
            until=self.now() + timedelta(minutes=10),
            redirect_uri=query.get("redirect_uri", ""),
            challenge=query.get("code_challenge", ""),
        )
        self.record("consent.given", user_id=self._codes[code].user_id)
        return code

    @route("POST", "/oauth/token")
    async def token(self, request: Request) -> Response:
        """Trade a code or a refresh token; each works once."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        settings = self.settings
        known = (form.get("client_id"), form.get("client_secret"))
        if known != (settings.client_id, settings.client_secret):
            return problem(400, "invalid_client", "invalid client_id or client_secret")
        match form.get("grant_type"):
            case "authorization_code":
                granted = self._codes.pop(form.get("code", ""), None)
                if granted is None or not self._proven(granted, form):
                    return self._no_grant()
                self._grant_lost = False
            case "refresh_token":
                granted = self._refresh.pop(form.get("refresh_token", ""), None)
                if granted is None or granted.until <= self.now():
                    self._grant_lost = True
                    return self._no_grant()
                self._refreshed += 1
            case _:
                return problem(400, "unsupported_grant_type", "unsupported grant_type")
        return json_response(self._new_token(granted.user_id))

    def _proven(self, granted: Granted, form: dict[str, str]) -> bool:
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        same = granted.redirect_uri == form.get("redirect_uri")
        return same and granted.until > self.now() and granted.challenge in ("", challenge)

    def _no_grant(self) -> Response:
        self.record("token.refused")
        text = "Error validating grant. Your authorization code or refresh token may be expired"
        body = {"error_description": text, "error": "invalid_grant", "status": 400, "cause": []}
        return json_response(body, 400)

    def _new_token(self, user_id: str) -> dict[str, Any]:
        """A new pair; older refresh tokens of the account are void."""
        self._refresh = {k: v for k, v in self._refresh.items() if v.user_id != user_id}
        tail = f"{self.next_id('token', 100)}-{self.rng.randrange(10**16):016}-{user_id}"
        access, refresh = f"APP_USR-{self.settings.client_id}-{tail}", f"TG-{tail}"
        seconds = self.settings.token_s
        self._access[access] = Granted(user_id, self.now() + timedelta(seconds=seconds))
        self._refresh[refresh] = Granted(user_id, self.now() + timedelta(days=180))
        self.record("token.given", user_id=user_id)
        return {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": seconds,
            "scope": "offline_access read write",
            "user_id": int(user_id),
            "refresh_token": refresh,
        }

    # --- tricks ----------------------------------------------------------------------------------

    def consent(self, url: str) -> str:
        """The merchant opens an authorization URL and agrees; returns the code."""
        return self._new_code(dict(parse_qsl(urlsplit(url).query)))

    def expire_tokens(self) -> None:
        """Let every access token be over now."""
        for granted in self._access.values():
            granted.until = self.now()

    def grant_lost(self) -> bool:
        """Whether a refresh was refused since consent was last given."""
        return self._grant_lost

    def refreshes(self) -> int:
        """How many times a token was refreshed so far."""
        return self._refreshed

    def app_settings(self, base_url: str) -> dict[str, Any]:
        """The application's settings."""
        del base_url
        settings = self.settings
        return {"client_id": settings.client_id, "client_secret": settings.client_secret}
