"""A connection: one VTEX account's affiliate joined to one marketplace."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from connector.domain.offer import Value

ACCOUNT_PATTERN = r"^[a-z0-9-]+$"
AFFILIATE_PATTERN = r"^[B-DF-HJ-NP-TV-Z]{3}$"
"""Three consonants (protocol 2.1)."""


class Sla(StrEnum):
    """How a delivery option is chosen; ``named`` takes the one called ``Rules.sla_name``."""

    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    NAMED = "named"


class Rules(BaseModel):
    """What a merchant may decide about a connection. Amounts are minor units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stock_buffer: int = Field(0, ge=0, description="units never published")
    max_stock: int | None = Field(None, ge=0, description="most units ever published")
    price_floor: int | None = Field(None, ge=0, description="a lower price is not published")
    price_ceiling: int | None = Field(None, gt=0, description="a higher price is not published")
    max_price_change_pct: float | None = Field(
        None, gt=0, description="a larger change of price waits for a person"
    )
    categories: dict[str, str] = Field(
        default_factory=dict, description="VTEX category id -> marketplace category id"
    )
    default_category: str = Field("", description="marketplace category of unmapped ones")
    sla: Sla = Field(Sla.CHEAPEST, description="cheapest, fastest or named")
    sla_name: str = Field("", description="the delivery option's name where sla is named")
    price_second_look_s: float = Field(360, ge=0, description="second read after a price change")
    stock_second_look_s: float = Field(120, ge=0, description="second read after a stock change")
    gather_s: float = Field(15, ge=0, le=15, description="how long a reindex is gathered")
    recheck_s: float = Field(86_400, gt=0, description="every listing is looked at this often")
    best_seller_recheck_s: float = Field(3_600, gt=0, description="and best sellers this often")
    relist_s: float = Field(21_600, gt=0, description="the sales channel is listed this often")
    content_max_age_s: float = Field(86_400, gt=0, description="cached content is read again")
    reads_per_s: float = Field(20, gt=0, description="most look-agains per second")
    watch_s: float = Field(7_200, gt=0, description="open orders are read again this often")
    personal_data_days: int = Field(90, ge=0, description="erased so long after an order ends")
    default_document: str = Field(
        "", max_length=40, description="stands for the buyer's document where none is told"
    )
    poll_s: float | None = Field(None, gt=0, description="order polling, else the adapter's own")

    @field_validator("price_ceiling")
    @classmethod
    def _above_floor(cls, ceiling: int | None, info: Any) -> int | None:
        floor = info.data.get("price_floor")
        if ceiling is not None and floor is not None and ceiling < floor:
            raise ValueError("price_ceiling is below price_floor")
        return ceiling


class ConnectionState(StrEnum):
    """What the hub does for a connection."""

    ACTIVE = "active"
    PAUSED = "paused"  # facts are taken, listings are left as they are, orders are served
    DISABLED = "disabled"  # listings are blocked, open orders are still served
    REMOVED = "removed"  # refuses everything


class Purpose(StrEnum):
    """What a secret in a URL opens; each is refused everywhere else."""

    NOTIFY = "notify"
    SERVICES = "services"
    WEBHOOK = "webhook"
    LOGS = "logs"
    MAPPER = "mapper"


class UrlSecret(Value):
    """One generation of one purpose's secret: its hash for comparing, itself sealed for showing."""

    purpose: Purpose
    generation: int
    digest: str
    """SHA-256, hex."""
    sealed: str
    retires_at: datetime | None = None
    """Replaced by a newer one and refused from then on; a services secret stays valid besides as
    long as open orders carry it."""


def _http_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", value):
        raise ValueError("must be an http(s) URL without query, fragment or user")
    return value.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_http_url)]


class ConnectionSpec(BaseModel):
    """What an operator writes to add a connection (``connector connection add --file``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str = Field(pattern=ACCOUNT_PATTERN, max_length=63)
    affiliate_id: str = Field(pattern=AFFILIATE_PATTERN)
    sales_channel: int = Field(gt=0)
    app_key: str = Field(min_length=1)
    app_token: str = Field(min_length=1, repr=False)
    adapter: str = Field(min_length=1)
    adapter_settings: dict[str, Any] = Field(default_factory=dict, repr=False)
    order_api: Literal["integration", "classic"] = "integration"
    connector_name: str = Field("connector", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    vtex_base_url: HttpUrl | None = None
    rules: Rules = Rules()


class Connection(Value):
    """A connection as the ledger keeps it; secrets are sealed."""

    id: str
    account: str
    affiliate_id: str
    sales_channel: int
    adapter: str
    order_api: Literal["integration", "classic"] = "integration"
    connector_name: str = "connector"
    vtex_base_url: str | None = None
    currency: str = ""
    """Of the sales channel, once it was read."""
    rules: Rules = Rules()
    state: ConnectionState = ConnectionState.ACTIVE
    sealed_app_key: str
    sealed_app_token: str
    sealed_adapter_settings: str
    """The adapter's settings as JSON, sealed whole: some are secrets."""
    tenant: str = ""
    """What the adapter's application-wide webhook calls this account."""
    secrets: tuple[UrlSecret, ...] = ()
    created_at: datetime
    vtex_version: int = 1
    """Grows when credentials or settings change, so that clients are built anew."""

    @property
    def vtex_url(self) -> str:
        """Base of all VTEX calls (protocol 1.1)."""
        return self.vtex_base_url or f"https://{self.account}.vtexcommercestable.com.br"

    def current(self, purpose: Purpose) -> UrlSecret:
        """The newest secret of a purpose."""
        return max(
            (secret for secret in self.secrets if secret.purpose == purpose),
            key=lambda secret: secret.generation,
        )

    @property
    def takes_work(self) -> bool:
        """Whether facts about this connection are taken at all."""
        return self.state is not ConnectionState.REMOVED
