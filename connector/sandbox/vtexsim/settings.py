"""Switches of the VTEX simulator: identity, delays and every way the platform misbehaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class DivergenceRule:
    """What happens to an order whose total differs by ``low`` up to ``high`` percent.

    ``action`` is ``authorize``, ``deny`` or ``manual`` (protocol 6.7). ``high`` is exclusive:
    "less than 100" leaves exactly 100 % uncovered.
    """

    low: float
    high: float
    action: str


@dataclass(frozen=True, slots=True)
class SlaSpec:
    """One way of delivery the store offers, and what it costs per order line, in cents."""

    id: str
    estimate: str
    base: int
    per_kg: int = 0
    pickup_point: str | None = None
    max_weight_g: float = 1_000_000.0


DEFAULT_SLAS = (
    SlaSpec("Normal", "5bd", 1200, 90),
    SlaSpec("Expressa", "2bd", 2490, 210, max_weight_g=30_000.0),
    SlaSpec("Retirada", "0bd", 0, pickup_point="1_P01"),
)


@dataclass
class VtexSimSettings:
    """Everything about a simulated account that a test, a benchmark or a demo may want to change.

    Times are seconds of the simulator's clock; shares are 0..1 of the cases.
    """

    # Identity
    account: str = "simstore"
    app_key: str = "vtexappkey-simstore-SIMULA"
    app_token: str = "simulated-token"  # noqa: S105 - guards nothing real
    sales_channel: int = 2
    other_sales_channels: tuple[int, ...] = (1, 3)
    locale: str = "pt"
    forbidden: set[str] = field(default_factory=set)
    expired_token: bool = False
    rate_limit_per_s: float = 0.0
    rate_limit_burst: float = 50.0
    # Simulation
    stale_price_s: float = 300.0
    stale_stock_s: float = 60.0
    stale_after_reservation: bool = True
    max_simulation_items: int = 300
    max_quantity: int = 50_000
    max_kit_quantity: int = 3_000
    unsorted_logistics: bool = True
    availability_lies: bool = True
    merge_lines: bool = True
    pub_stock_balance: bool = False
    pvt_price_after_promotions: bool = False
    strict_affiliate: bool = False
    slas: tuple[SlaSpec, ...] = DEFAULT_SLAS
    undeliverable_prefixes: tuple[str, ...] = ("99999",)
    country: str = "BRA"
    # Notifications
    notify_loss: float = 0.0
    notify_duplicate: float = 0.0
    notify_late: float = 0.0
    notify_late_s: float = 120.0
    notify_retries: int = 3
    notify_retry_s: float = 5.0
    notify_retry_factor: float = 2.0
    notify_concurrency: int = 32
    notify_coalesce: float = 0.0
    coalesce_s: float = 0.0
    notify_casing: str = "mixed"
    notify_reservations: bool = True
    record_deliveries: bool = True
    # Orders
    processing_delay_s: float = 2.0
    processing_tell_delay_s: float = 0.0
    processing_loss: float = 0.0
    processing_duplicate: float = 0.0
    processing_retries: int = 3
    processing_retry_s: float = 5.0
    processing_instability: float = 0.0
    processing_timeout: float = 0.0
    error_after_create: float = 0.0
    cancel_on_create: float = 0.0
    empty_error_body: float = 0.0
    check_item_sum: bool = True
    approve_repeat_ok: bool = False
    divergence_rules: tuple[DivergenceRule, ...] = ()
    # Workflow
    workflow_step_s: float = 1.0
    grace_period_s: float = 1800.0
    authorization_ttl_s: float = 30 * DAY_S
    stuck_status: str = ""
    cancel_needs_seller: bool = False
    cancel_flip: float = 0.0
    list_lag_s: float = 0.0
    # Callbacks
    callback_visibility: str = "mixed"
    callback_retries: int = 500
    callback_retry_s: float = 5.0
    callback_retry_factor: float = 2.0
    callback_retry_cap_s: float = 600.0
    callback_duplicate: float = 0.0
    cancel_empty_body: float = 0.3
    odd_invoice_numbers: float = 0.2
    embedded_invoices: float = 0.2
    embedded_invoice_bytes: int = 2_000

    def as_json(self) -> dict[str, Any]:
        """The settings as plain JSON values, without the token."""
        values = asdict(self)
        values.pop("app_token")
        values["forbidden"] = sorted(self.forbidden)
        return values

    def apply(self, values: dict[str, Any]) -> None:
        """Set several settings by name.

        Raises:
            ValueError: a name is unknown or a value has the wrong type; nothing is changed then.
        """
        known = {spec.name for spec in fields(self)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"unknown settings: {unknown}")
        ready = {name: self._convert(name, value) for name, value in values.items()}
        for name, value in ready.items():
            setattr(self, name, value)

    def _convert(self, name: str, value: Any) -> Any:
        try:
            if name == "divergence_rules":
                return tuple(DivergenceRule(**rule) for rule in value)
            if name == "slas":
                return tuple(SlaSpec(**sla) for sla in value)
            current = getattr(self, name)
            return _like(current, value)
        except TypeError as error:
            raise ValueError(f"{name}: {error}") from error


def _like(current: Any, value: Any) -> Any:
    if isinstance(value, bool) != isinstance(current, bool):
        raise TypeError("true and false are for switches, and nothing else is")
    return type(current)(value)
