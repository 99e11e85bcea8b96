"""A merchant's consent: the authorization-code flow with PKCE, from the URL to the first token.

One consent per connection is under way at a time. Its state opens the callback once, for a quarter
of an hour; the ledger knows its digest alone (RFC 6749 section 10.12, RFC 7636).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import structlog

from connector.domain.connection import Connection
from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.http import HttpFailure
from connector.domain.offer import Value
from connector.domain.pending import Context
from connector.flows.connections import Refusal, find, job_marks
from connector.flows.hub import Hub, Peers
from connector.flows.tokenbook import TokenBook
from connector.ports import Conflict, Document, Put
from connector.sdk import AdapterError, AuthExpired, Consent, Rejected, Token

CONSENT = "consent"
VALID_FOR = timedelta(minutes=15)
_KEY = "current"
_SAVE_TRIES = 10

_log = structlog.get_logger(__name__)


class Progress(StrEnum):
    """How far a consent is."""

    WAITING = "waiting"
    USED = "used"  # its code is being traded for a token
    DONE = "done"
    FAILED = "failed"


class Asked(Value):
    """A consent as the ledger keeps it."""

    digest: str
    """Of its state."""
    sealed_verifier: str
    redirect_uri: str
    expires_at: datetime
    progress: Progress = Progress.WAITING
    why: str = ""


async def begin(hub: Hub, connection_id: str) -> str:
    """Begin a consent; returns the URL the merchant has to open. An earlier one is void.

    Raises:
        Refusal: the marketplace knows no such thing, or its application is not set up.
    """
    connection = (await find(hub, connection_id)).value
    peers = _peers(hub, connection)
    state = f"{connection.id}.{secrets.token_urlsafe(32)}"
    verifier = secrets.token_urlsafe(64)
    asked = Asked(
        digest=_digest(state),
        sealed_verifier=hub.vault.seal(verifier, bound_to=_bound_to(connection.id)),
        redirect_uri=redirect_uri(hub.public_url, connection.adapter),
        expires_at=hub.now() + VALID_FOR,
    )
    document, _ = await _read(hub, connection.id)
    await hub.store.commit([_Open(connection, document, asked).put(Progress.WAITING)])
    adapter = peers.adapter
    consent = _consent(asked, verifier, state)
    return adapter.authorize_url(adapter.app, adapter.settings, consent)


def redirect_uri(public_url: str, adapter: str) -> str:
    """Where a marketplace sends the merchant back to; it has to know this very address."""
    return f"{public_url}/marketplace/v1/oauth/{adapter}/callback"


async def called_back(hub: Hub, adapter: str, state: str, code: str, error: str = "") -> None:
    """The merchant came back from the marketplace, with a code or with an error.

    Raises:
        Refusal: the state is unknown, used or too old, or no token came of it; the message says
            what to do and nothing that a stranger should not know.
    """
    connection_id = state.rpartition(".")[0]
    document, asked = await _read(hub, connection_id)
    same = hmac.compare_digest(asked.digest if asked else "", _digest(state))
    if asked is None or not same:
        raise Refusal(_VOID)
    connection = (await find(hub, connection_id)).value
    if connection.adapter != adapter:
        raise Refusal(_VOID)
    await _complete(hub, _Open(connection, document, asked), "" if error else code)


async def by_hand(hub: Hub, connection_id: str, code: str, state: str = "") -> None:
    """Complete the consent under way with a code that a person brings.

    Raises:
        Refusal: as ``called_back``; ``state`` is compared where it is known.
    """
    connection = (await find(hub, connection_id)).value
    document, asked = await _read(hub, connection_id)
    if asked is None or (state and not hmac.compare_digest(asked.digest, _digest(state))):
        raise Refusal(_VOID)
    await _complete(hub, _Open(connection, document, asked), code)


async def progress(hub: Hub, connection_id: str) -> tuple[Progress, str]:
    """How far the consent under way is, and why it failed if it did."""
    _, asked = await _read(hub, connection_id)
    if asked is None:
        return Progress.FAILED, _VOID
    if asked.progress in _UNDER_WAY and hub.now() >= asked.expires_at:
        return Progress.FAILED, "nobody gave consent in time"
    return asked.progress, asked.why


# --- parts ----------------------------------------------------------------------------------------

_UNDER_WAY = frozenset({Progress.WAITING, Progress.USED})
_VOID = "this consent is not known, was used already or is too old: begin again"


@dataclass(frozen=True, slots=True)
class _Open:
    """A consent under way, and the document it was read from."""

    connection: Connection
    document: Document
    asked: Asked

    def put(self, progress: Progress, why: str = "") -> Put:
        """What saves its progress."""
        body = self.asked.model_copy(update={"progress": progress, "why": why}).model_dump_json()
        return Put(replace(self.document, body=body))


async def _complete(hub: Hub, consent: _Open, code: str) -> None:
    asked = consent.asked
    if asked.progress is not Progress.WAITING or hub.now() >= asked.expires_at:
        raise Refusal(_VOID)
    try:
        await hub.store.commit([consent.put(Progress.USED)])  # once, whoever comes with it again
    except Conflict:
        raise Refusal(_VOID) from None
    document = replace(consent.document, version=consent.document.version + 1)
    consent = replace(consent, document=document)
    try:
        token = await _trade(hub, consent, code)
        await _save(hub, consent, token)
    except Refusal as refusal:
        with suppress(Conflict):  # a newer consent was begun: how this one ended is of no interest
            await hub.store.commit([consent.put(Progress.FAILED, str(refusal))])
        raise


async def _trade(hub: Hub, consent: _Open, code: str) -> Token:
    """Trade the code for a token.

    Raises:
        Refusal: it did not work; a code can be traded once, so a new consent is needed.
    """
    if not code:
        raise Refusal("the marketplace sent no code: consent was not given")
    connection, asked = consent.connection, consent.asked
    peers = _peers(hub, connection)
    adapter, unsigned = peers.adapter, peers.unsigned
    if unsigned is None:
        raise Refusal(f"{connection.adapter} gives no tokens")
    verifier = hub.vault.open(asked.sealed_verifier, bound_to=_bound_to(connection.id))
    terms = _consent(asked, verifier, "")
    try:
        token = await adapter.exchange_code(adapter.app, adapter.settings, unsigned, code, terms)
    except (AdapterError, HttpFailure) as error:
        # In our own words: the marketplace's may quote what it was sent.
        _log.warning("no_token", connection=connection.id, error=type(error).__name__)
        refused = isinstance(error, AuthExpired | Rejected)
        why = "does not accept the code" if refused else "cannot give a token now"
        raise Refusal(f"the marketplace {why}: begin again") from None
    if connection.tenant and token.account and token.account != connection.tenant:
        raise Refusal(
            "consent was given for another account than the connection's:"
            " log in to the marketplace with the right one and begin again"
        )
    return token


async def _save(hub: Hub, consent: _Open, token: Token) -> None:
    """The token, the end of the consent and what waits for it: one commit."""
    connection = consent.connection
    book = TokenBook(hub.store, hub.vault, connection.id)
    done = consent.put(Progress.DONE)
    for _ in range(_SAVE_TRIES):
        saved = await book.read()
        news = (done, _entry(hub, connection), *job_marks(hub, connection))
        try:
            await book.keep(saved, token, hub.now(), *news)
        except Conflict:
            continue  # a refresh of the old token wrote at the same moment
        for context in Context:
            hub.ring(connection, context)
        return
    raise Refusal("the token is being written all the time: begin again")


def _peers(hub: Hub, connection: Connection) -> Peers:
    """The connection's peers, if its marketplace gives tokens.

    Raises:
        Refusal: it does not, or cannot be used.
    """
    try:
        peers = hub.peers.of(connection, Context.UPKEEP)
    except (LookupError, ValueError) as error:
        raise Refusal(str(error)) from None
    if peers.grant is None:
        raise Refusal(f"{connection.adapter} needs no consent: its credentials are settings")
    if peers.adapter.app is None and peers.adapter.app_settings_model is not None:
        raise Refusal(
            f"set CONNECTOR_ADAPTER_APP_SETTINGS for {connection.adapter}: the marketplace's"
            " application (connector adapter show tells its fields)"
        )
    return peers


def _consent(asked: Asked, verifier: str, state: str) -> Consent:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    return Consent(asked.redirect_uri, state, verifier, challenge.rstrip(b"=").decode())


def _entry(hub: Hub, connection: Connection) -> Entry:
    return Entry(
        connection=connection.id,
        at=hub.now(),
        subject=connection.id,
        operation=Operation.CATALOG_CHANGE,
        direction=Direction.TO_MARKETPLACE,
        status=Status.SUCCESS,
        message="the marketplace gave access: the connection works",
    )


async def _read(hub: Hub, connection_id: str) -> tuple[Document, Asked | None]:
    found = await hub.store.get(CONSENT, connection_id, [_KEY])
    if _KEY not in found:
        return Document(CONSENT, connection_id, _KEY, ""), None
    return found[_KEY], Asked.model_validate_json(found[_KEY].body)


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()


def _bound_to(connection_id: str) -> str:
    return f"{connection_id}|consent"
