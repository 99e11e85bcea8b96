"""Consent and tokens (page "Autenticación y autorización")."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BeforeValidator, Field, SecretStr, ValidationError

from adapters.mercadolivre.api import Text, Wire, object_of
from adapters.mercadolivre.settings import MercadoLivreApp, MercadoLivreSettings
from connector.sdk import (
    AdapterError,
    AuthExpired,
    Consent,
    Http,
    Misconfigured,
    RateLimited,
    Request,
    Response,
    RetryLater,
    Token,
    expect,
    retry_after_s,
)

OPERATION = "oauth.token"


def _scopes(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else ()


class WireToken(Wire):
    """A token as it is given. ``expires_in`` is obeyed: pages and examples disagree on it."""

    access_token: SecretStr = Field(min_length=1)
    refresh_token: SecretStr = SecretStr("")
    expires_in: float = Field(gt=0)
    user_id: Text = ""
    scope: Annotated[tuple[str, ...], BeforeValidator(_scopes)] = ()

    def token(self) -> Token:
        """The same in the hub's words."""
        return Token(
            access=self.access_token,
            refresh=self.refresh_token,
            expires_in_s=self.expires_in,
            account=self.user_id,
            scopes=self.scope,
        )


def authorize_url(app: MercadoLivreApp, settings: MercadoLivreSettings, consent: Consent) -> str:
    """Where the merchant gives consent, with PKCE (S256)."""
    given = settings.auth_url
    base = str(given).rstrip("/") if given is not None else f"https://{settings.here.auth_host}"
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": consent.redirect_uri,
        "state": consent.state,
        "code_challenge": consent.challenge,
        "code_challenge_method": "S256",
    }
    return f"{base}/authorization?{urlencode(query)}"


async def exchange(
    app: MercadoLivreApp, settings: MercadoLivreSettings, http: Http, code: str, consent: Consent
) -> Token:
    """Trade a code for the first token.

    Raises:
        Misconfigured: somebody else than the connection's account gave consent.
    """
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": consent.redirect_uri,
        "code_verifier": consent.verifier,
    }
    token = await _ask(app, http, fields)
    if token.account != settings.user_id:
        raise Misconfigured(
            f"consent was given by account {token.account or 'unknown'}, the connection is of"
            f" account {settings.user_id}: log in there as that one and authorize again"
        )
    return token


async def refresh(app: MercadoLivreApp, http: Http, token: Token) -> Token:
    """Trade the refresh token, which works once, for a new token.

    Whatever account the answer names, or none: the old token is spent by now, and to refuse the
    new one would end the consent. ``check`` tells whose it is.
    """
    secret = token.refresh.get_secret_value()
    fields = {"grant_type": "refresh_token", "refresh_token": secret}
    new = await _ask(app, http, fields)
    return new if new.account else new.model_copy(update={"account": token.account})


async def _ask(app: Any, http: Http, fields: dict[str, str]) -> Token:
    if not isinstance(app, MercadoLivreApp):
        raise Misconfigured("the application's id and secret are not set")
    form = {
        **fields,
        "client_id": app.client_id,
        "client_secret": app.client_secret.get_secret_value(),
    }
    headers = {
        "accept": "application/json",
        "content-type": "application/x-www-form-urlencoded",
    }
    body = urlencode(form).encode()
    answer = await http.send(
        Request("POST", "/oauth/token", headers=headers, body=body, operation=OPERATION)
    )
    return _token(expect(answer, read_error=_read_error))


def _token(answer: Response) -> Token:
    try:
        return WireToken.model_validate(object_of(answer)).token()
    except ValidationError:
        # Never the answer itself: it holds the token.
        raise RetryLater("Mercado Livre's token cannot be read") from None


def _read_error(answer: Response) -> AdapterError | None:
    payload = answer.json()
    code = str(payload.get("error") or "") if isinstance(payload, dict) else ""
    if answer.status == 429 or code == "local_rate_limited":
        return RateLimited("Mercado Livre asks us to slow down", after_s=retry_after_s(answer))
    if code == "invalid_grant":
        return AuthExpired("the grant is over (invalid_grant): the merchant must authorize again")
    if code == "invalid_operator_user_id":
        return AuthExpired("an operator's login cannot give consent: the owner's is needed")
    if code in {"invalid_client", "unauthorized_client", "unauthorized_application", "forbidden"}:
        return Misconfigured(f"the application is not accepted ({code}): check its id and secret")
    if code in {"invalid_scope", "invalid_request", "unsupported_grant_type"}:
        return Misconfigured(f"the application is not set up for this ({code})")
    return None
