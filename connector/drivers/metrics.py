"""Every metric of the hub in one table, and the registry that keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)


class Kind(StrEnum):
    """How values of a metric add up."""

    COUNTER = "counter"
    GAUGE = "gauge"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; its labels never take values that a stranger can invent."""

    kind: Kind
    text: str
    labels: tuple[str, ...] = ()


PREFIX = "hub_"

_CONTEXT = ("context",)

# Without the prefix that they are shown with.
METRICS: dict[str, Metric] = {
    # what comes in
    "notifications_total": Metric(
        Kind.COUNTER, "Keys that notifications spoke of", ("connection",)
    ),
    "webhooks_total": Metric(Kind.COUNTER, "Webhooks of marketplaces", ("adapter", "connection")),
    "callbacks_total": Metric(Kind.COUNTER, "Calls from the store about orders", ("kind",)),
    "callbacks_repaired_total": Metric(Kind.COUNTER, "Lost callbacks found by looking"),
    "web_refused_total": Metric(Kind.COUNTER, "Requests that were refused", ("route", "status")),
    # turns and claims
    "turns_total": Metric(Kind.COUNTER, "Turns that were taken", _CONTEXT),
    "turn_errors_total": Metric(Kind.COUNTER, "Turns that ended with an error", _CONTEXT),
    "claims_total": Metric(Kind.COUNTER, "Keys that were leased", _CONTEXT),
    "leases_lost_total": Metric(Kind.COUNTER, "Results that came too late", _CONTEXT),
    "parked_total": Metric(Kind.COUNTER, "Keys that wait for somebody's help", _CONTEXT),
    # the broker
    "broker_published_total": Metric(Kind.COUNTER, "Turns that RabbitMQ has taken", _CONTEXT),
    "broker_publish_failures_total": Metric(
        Kind.COUNTER, "Turns that could not be sent; sweepers ask again", ("reason",)
    ),
    "broker_turns_dropped_total": Metric(
        Kind.COUNTER, "Messages that asked for what was under way already", ("reason",)
    ),
    "broker_unreadable_total": Metric(Kind.COUNTER, "Messages put aside unread", ("queue",)),
    "broker_consumers_restored_total": Metric(
        Kind.COUNTER, "Consumers that were lost and made anew", ("queue",)
    ),
    "broker_queues_remade_total": Metric(
        Kind.COUNTER, "Queues that did not answer and were made anew", ("queue",)
    ),
    "broker_connections_lost_total": Metric(Kind.COUNTER, "Lost connections to RabbitMQ", ("use",)),
    "store_unavailable_total": Metric(
        Kind.COUNTER, "Work put off because the ledger was away", _CONTEXT
    ),
    # work
    "catalog_reads_total": Metric(Kind.COUNTER, "Reads of catalogue content"),
    "simulations_total": Metric(Kind.COUNTER, "Fulfilment simulations"),
    "simulated_skus_total": Metric(Kind.COUNTER, "SKUs in fulfilment simulations"),
    "relist_differences_total": Metric(Kind.COUNTER, "SKUs that came or went unannounced"),
    "category_trees_changed_total": Metric(
        Kind.COUNTER, "Category trees of marketplaces that changed", ("adapter",)
    ),
    "pushes_total": Metric(Kind.COUNTER, "Listing calls to marketplaces", ("action",)),
    "pushed_skus_total": Metric(Kind.COUNTER, "SKUs in listing calls", ("action",)),
    "order_steps_total": Metric(Kind.COUNTER, "Steps of orders", ("step",)),
    "token_refreshes_total": Metric(
        Kind.COUNTER, "Refreshes of marketplaces' tokens by how they ended", ("outcome",)
    ),
    # the way out
    "http_calls_total": Metric(
        Kind.COUNTER, "Calls to peers by how they ended", ("peer", "operation", "outcome")
    ),
    "http_seconds": Metric(
        Kind.SECONDS, "Duration of calls to peers, waits included", ("peer", "operation")
    ),
    "breakers_open": Metric(Kind.GAUGE, "Peers that are held back", ("peer",)),
    # the pending set, as the scrape finds it
    "pending_keys": Metric(
        Kind.GAUGE, "Keys by what they wait for", ("connection", "context", "state")
    ),
    "pending_oldest_seconds": Metric(
        Kind.GAUGE, "Age of the oldest due key", ("connection", "context")
    ),
}

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200)


class PrometheusMetrics:
    """``ports.Metrics`` in a registry of its own; a name or label not in the table is an error."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for name, metric in METRICS.items():
            shown = PREFIX + name
            if metric.kind is Kind.COUNTER:
                self._counters[name] = Counter(
                    shown, metric.text, metric.labels, registry=self._registry
                )
            elif metric.kind is Kind.GAUGE:
                self._gauges[name] = Gauge(
                    shown, metric.text, metric.labels, registry=self._registry
                )
            else:
                self._histograms[name] = Histogram(
                    shown,
                    metric.text,
                    metric.labels,
                    registry=self._registry,
                    buckets=_SECONDS,
                )

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Add to a counter."""
        counter = self._counters[name.removeprefix(PREFIX)]
        (counter.labels(**labels) if labels else counter).inc(value)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Record a duration."""
        histogram = self._histograms[name.removeprefix(PREFIX)]
        (histogram.labels(**labels) if labels else histogram).observe(value)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge to what it is now."""
        gauge = self._gauges[name.removeprefix(PREFIX)]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def clear(self, name: str) -> None:
        """Forget all labels of a gauge, before it is set anew."""
        self._gauges[name.removeprefix(PREFIX)].clear()

    def render(self) -> tuple[bytes, str]:
        """Everything in Prometheus's text format, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class NoMetrics:
    """``ports.Metrics`` that keeps nothing."""

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Nothing."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Nothing."""
