"""Consent and tokens as the hub handles them, small enough to watch."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from typing import Any

from connector.domain.http import Http, Request, Response
from connector.sdk.adapter import Adapter
from connector.sdk.values import AdapterSettings, Consent, Token

_VERIFIER = "the-kit-proves-itself-with-43-or-more-characters"


def consent() -> Consent:
    """One run of the authorization-code flow with PKCE (RFC 7636 section 4.2, S256)."""
    digest = hashlib.sha256(_VERIFIER.encode()).digest()
    return Consent(
        redirect_uri="https://hub.example/oauth/callback",
        state="state-of-the-kit",
        verifier=_VERIFIER,
        challenge=urlsafe_b64encode(digest).rstrip(b"=").decode(),
    )


class TokenHttp:
    """Signs every request; on a 401 refreshes once, whoever waits, and sends once more."""

    def __init__(
        self,
        inner: Http,
        adapter: type[Adapter[Any]],
        app: AdapterSettings | None,
        settings: AdapterSettings,
        token: Token,
    ) -> None:
        self.token = token
        self._inner = inner
        self._adapter = adapter
        self._app = app
        self._settings = settings
        self._turn = asyncio.Lock()

    async def send(self, request: Request) -> Response:
        """Send one request with the token that is valid now."""
        used = self.token
        response = await self._inner.send(self._adapter.signed(request, used))
        if response.status != 401:
            return response
        async with self._turn:
            if self.token is used:
                self.token = await self._adapter.refresh_token(
                    self._app, self._settings, self._inner, used
                )
        return await self._inner.send(self._adapter.signed(request, self.token))
