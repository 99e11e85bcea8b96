"""The hub's settings: environment variables ``CONNECTOR_*`` and a ``.env`` file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

PREFIX = "CONNECTOR_"
WEBHOOK_SECRET = "webhook_path_secret"  # noqa: S105 - a setting's name, no secret
"""Key in an adapter's application settings: the secret in its application webhook's URL."""

_SHORTEST_SECRET = 16
_STORES = ("sqlite", "mongodb", "mongodb+srv")
_BROKERS = ("memory", "amqp", "amqps")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class SettingsError(ValueError):
    """Settings that cannot work; the message names each of them and never a value."""


class Role(StrEnum):
    """What an admin token may do; each role may do all of the one before."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class AdminToken(BaseModel):
    """One admin token: itself or its SHA-256, what it may do, and to which connections."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", max_length=64, pattern=r"^[\w.@ -]*$")
    token: SecretStr | None = Field(None, min_length=_SHORTEST_SECRET)
    token_sha256: str = Field("", pattern=r"^([0-9a-fA-F]{64})?$", repr=False)
    role: Role = Role.VIEWER
    connections: tuple[str, ...] = ("*",)

    @model_validator(mode="after")
    def _one_token(self) -> AdminToken:
        if (self.token is None) == (not self.token_sha256):
            raise ValueError("give either token or token_sha256")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of the token, hex."""
        if self.token is None:
            return self.token_sha256.lower()
        return hashlib.sha256(self.token.get_secret_value().encode()).hexdigest()

    @property
    def who(self) -> str:
        """The name under which its actions are remembered."""
        return self.name or f"token-{self.digest[:8]}"


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ValueError("write host:port, for example 127.0.0.1:8080")
    return value


def _public(value: str) -> str:
    if not re.match(r"^https?://[^/?#@\s]+(/[^?#\s]*)?$", value):
        raise ValueError("write an http(s) URL without query, for example https://hub.example.com")
    return value.rstrip("/")


def _store(value: str) -> str:
    return _scheme(value, _STORES, "sqlite:///connector.db or mongodb://host/connector")


def _broker(value: str) -> str:
    return _scheme(value, _BROKERS, "memory:// or amqp://user:password@host/vhost")


def _scheme(value: str, known: tuple[str, ...], example: str) -> str:
    if value.partition("://")[0] not in known or "://" not in value:
        raise ValueError(f"write {example}")
    return value


def _words(value: Any) -> Any:
    """A JSON list or words between commas."""
    if not isinstance(value, str):
        return value
    if value.strip().startswith("["):
        return _json(value)
    return [word for part in value.split(",") if (word := part.strip())]


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("this is not JSON") from None


Address = Annotated[str, AfterValidator(_address)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Tokens = Annotated[tuple[AdminToken, ...], NoDecode, BeforeValidator(_json)]
AppSettings = Annotated[dict[str, dict[str, Any]], NoDecode, BeforeValidator(_json)]
Level = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


class Settings(BaseSettings):
    """Everything an operator may decide about a hub, with what holds where nothing is said."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    store_url: Annotated[str, AfterValidator(_store)] = Field(
        "sqlite:///connector.db",
        repr=False,
        description=(
            "the ledger: `sqlite:///relative.db`, `sqlite:////absolute/path.db`, or"
            " `mongodb://host1,host2/database?replicaSet=rs0` (a replica set)"
        ),
    )
    broker_url: Annotated[str, AfterValidator(_broker)] = Field(
        "memory://",
        repr=False,
        description=(
            "who hands out turns: `memory://` (in this process) or"
            " `amqp://user:password@host/vhost` (RabbitMQ, for many processes)"
        ),
    )
    public_url: Annotated[str, AfterValidator(_public)] = Field(
        "http://127.0.0.1:8080",
        description="where VTEX and marketplaces reach us; part of every URL given out",
    )
    bind: Address = Field("127.0.0.1:8080", description="public address: notifications, callbacks")
    admin_bind: Address = Field(
        "127.0.0.1:8081", description="admin address: probes, metrics, API; never expose it"
    )
    secret_key: SecretStr | None = Field(
        None,
        description=(
            "keys that seal secrets, `id:base64` of 32 bytes, several with commas (the first"
            " seals); unset: made once, in a file beside the store"
        ),
    )
    admin_token: SecretStr | None = Field(
        None, min_length=_SHORTEST_SECRET, description="one token that may do everything"
    )
    admin_tokens: Tokens = Field(
        (),
        repr=False,
        description=(
            'JSON list of `{"name", "token" or "token_sha256", "role": viewer, operator or admin,'
            ' "connections": ["*"] or ids}`'
        ),
    )
    allow_hosts: Words = Field(
        (),
        description=(
            "hosts, or host:port, that may be private or plain http: sandboxes and proxies;"
            " with commas"
        ),
    )
    app_secret: SecretStr | None = Field(
        None,
        min_length=_SHORTEST_SECRET,
        description="secret in the URLs of the VTEX IO app; unset: these URLs refuse everything",
    )
    adapter_app_settings: AppSettings = Field(
        default_factory=dict,
        repr=False,
        description=(
            f'JSON by adapter: `{{"demo": {{"{WEBHOOK_SECRET}": ..., ...}}}}`; the rest is the'
            " adapter's own application settings"
        ),
    )
    log_level: Level = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    time_scale: float = Field(
        1.0, gt=0, le=100_000, description="how much faster time passes; only for trying things out"
    )
    clock_epoch: AwareDatetime | None = Field(
        None, description="moment from which time_scale counts; the same in all processes of a hub"
    )
    lease_s: float = Field(
        30.0, ge=1, description="a worker silent for so long loses its keys to another"
    )
    concurrency: int = Field(
        8, ge=1, le=1000, description="most HTTP calls at once per connection and context"
    )
    batch: int = Field(50, ge=1, le=1000, description="most keys claimed in one turn")
    entries_days: int = Field(30, ge=1, description="user-readable log entries are kept so long")
    shutdown_s: float = Field(
        25.0,
        gt=0,
        description=(
            "a process ends within so long after SIGTERM; work under way gets four fifths of it"
        ),
    )
    limits: bool = Field(
        default=True, description="keep to the peers' rate limits; off only against simulators"
    )

    def require_serve(self) -> list[str]:
        """Check what a serving hub needs; returns what the operator should know.

        Raises:
            SettingsError: it could not work.
        """
        problems = list(self._problems())
        if problems:
            raise SettingsError("; ".join(problems))
        return list(self._warnings())

    @property
    def embedded(self) -> bool:
        """Whether the ledger is a file of this machine."""
        return self.store_url.startswith("sqlite")

    @property
    def shared(self) -> bool:
        """Whether several processes do the hub's work: what they may call is counted together."""
        return not self.broker_url.startswith("memory")

    def tokens(self) -> tuple[AdminToken, ...]:
        """All admin tokens."""
        if self.admin_token is None:
            return self.admin_tokens
        single = AdminToken(name="admin", token=self.admin_token, role=Role.ADMIN)
        return (single, *self.admin_tokens)

    def secrets(self) -> Iterator[str]:
        """Values that must never be logged."""
        if self.secret_key is not None:
            for key in self.secret_key.get_secret_value().split(","):
                yield key.partition(":")[2].strip()
        for url in (self.store_url, self.broker_url):
            if (password := urlsplit(url).password) is not None:
                yield from {password, unquote(password)}
        for secret in (self.admin_token, self.app_secret, *(t.token for t in self.admin_tokens)):
            if secret is not None:
                yield secret.get_secret_value()
        for app in self.adapter_app_settings.values():
            yield from (value for value in app.values() if isinstance(value, str))

    def own_app_settings(self) -> dict[str, dict[str, Any]]:
        """The adapters' own application settings: without the secrets in webhooks' URLs."""
        return {
            name: {key: value for key, value in app.items() if key != WEBHOOK_SECRET}
            for name, app in self.adapter_app_settings.items()
        }

    def _problems(self) -> Iterator[str]:
        if self.bind == self.admin_bind and not self.bind.endswith(":0"):
            yield f"{_env('bind')} and {_env('admin_bind')} are the same: give each its own port"
        digests = [token.digest for token in self.tokens()]
        if len(set(digests)) < len(digests):
            yield f"{_env('admin_tokens')}: two tokens are the same: make each its own"
        for name, app in self.adapter_app_settings.items():
            secret = app.get(WEBHOOK_SECRET)
            if secret is not None and (
                not isinstance(secret, str) or len(secret) < _SHORTEST_SECRET
            ):
                yield (
                    f"{_env('adapter_app_settings')}: {name}.{WEBHOOK_SECRET} needs"
                    f" {_SHORTEST_SECRET} characters or more"
                )

    def _warnings(self) -> Iterator[str]:
        parts = urlsplit(self.public_url)
        if "public_url" not in self.model_fields_set:
            yield (
                f"{_env('public_url')} is not set: VTEX and marketplaces cannot reach"
                f" {self.public_url}"
            )
        elif parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            yield f"{_env('public_url')} is plain http: secrets in URLs travel readable; use https"
        if not self.tokens():
            yield f"{_env('admin_token')} is not set: the admin API refuses every call"
        if self.time_scale != 1 and self.clock_epoch is None:
            yield (
                f"{_env('clock_epoch')} is not set: with {_env('time_scale')} a restarted hub"
                " starts at another time"
            )
        if not self.limits:
            yield f"{_env('limits')} is off: peers are called as fast as we can"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; ``overrides`` win over the environment.

    Raises:
        SettingsError: some are not valid; the message names each and says what to write.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(_told(error)) from None
    except UnreadableError as error:
        raise SettingsError(f"the settings cannot be read: {error}") from None


def unknown_names(environment: Mapping[str, str]) -> list[str]:
    """Variables that look like settings and are none: a misspelt one would change nothing."""
    known = {_env(name) for name in Settings.model_fields}
    found = {name.upper() for name in environment if name.upper().startswith(PREFIX)}
    return sorted(found - known)


def host_port(address: str) -> tuple[str, int]:
    """Host and port of ``host:port``; an IPv6 host may stand in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def reference_markdown() -> str:
    """The reference of all settings as Markdown."""
    lines = [
        "# Settings",
        "",
        "Environment variables, or lines of a `.env` file in the working directory. The",
        "environment wins. This page is generated from `connector/settings.py`.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        text = (field.description or "").replace("|", "\\|")
        lines.append(f"| `{_env(name)}` | {_shown(field)} | {text} |")
    return "\n".join([*lines, ""])


def _shown(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default in ((), {}):
        return "unset"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _env(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _told(error: ValidationError) -> str:
    parts = []
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        first, *rest = [str(part) for part in problem["loc"]] or ["settings"]
        place = ".".join([_env(first), *rest])
        parts.append(f"{place}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(parts)
