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
    SIZE = "size"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; its labels never take values that a stranger can invent."""

    kind: Kind
    text: str
    labels: tuple[str, ...] = ()


METRICS: dict[str, Metric] = {
    "hub_http_calls_total": Metric(
        Kind.COUNTER, "Calls to peers by how they ended", ("peer", "operation", "outcome")
    ),
    "hub_http_seconds": Metric(
        Kind.SECONDS, "Duration of calls to peers, waits included", ("peer", "operation")
    ),
    "notifications_total": Metric(Kind.COUNTER, "SKUs named by affiliate notifications"),
    "callbacks_total": Metric(Kind.COUNTER, "Calls of VTEX about orders, saved", ("kind",)),
    "callbacks_repaired_total": Metric(
        Kind.COUNTER, "Invoices found in VTEX's order that no callback told of"
    ),
    "webhooks_total": Metric(Kind.COUNTER, "Webhooks of marketplaces, saved", ("adapter",)),
    "web_refused_total": Metric(Kind.COUNTER, "Requests that were refused", ("route", "status")),
    "turns_total": Metric(Kind.COUNTER, "Turns that found something to do", ("context",)),
    "turn_errors_total": Metric(Kind.COUNTER, "Turns that failed unexpectedly", ("context",)),
    "claims_total": Metric(Kind.COUNTER, "Keys worked on", ("context",)),
    "leases_lost_total": Metric(
        Kind.COUNTER, "Keys whose lease ran out while they were worked on", ("context",)
    ),
    "parked_total": Metric(Kind.COUNTER, "Keys parked for somebody's help", ("context",)),
    "catalog_reads_total": Metric(Kind.COUNTER, "SKUs read from VTEX's catalog"),
    "simulations_total": Metric(Kind.COUNTER, "Simulations for price and stock"),
    "simulated_skus_total": Metric(Kind.COUNTER, "SKUs in those simulations"),
    "pushes_total": Metric(Kind.COUNTER, "Calls that changed listings", ("action",)),
    "pushed_skus_total": Metric(Kind.COUNTER, "SKUs in those calls", ("action",)),
    "relist_differences_total": Metric(
        Kind.COUNTER, "SKUs found or missed when a sales channel was listed again"
    ),
    "order_steps_total": Metric(Kind.COUNTER, "Steps taken for orders", ("step",)),
    "hub_breakers_open": Metric(Kind.GAUGE, "Peers that are held back", ("peer",)),
}

_BUCKETS = {
    Kind.SECONDS: (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200),
    Kind.SIZE: (1, 2, 5, 10, 25, 50, 100, 250, 1000, 10_000, 100_000, 1_000_000),
}


class PrometheusMetrics:
    """``ports.Metrics`` in a registry of its own; a name or label not in the table is an error."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for name, metric in METRICS.items():
            if metric.kind is Kind.COUNTER:
                self._counters[name] = Counter(
                    name, metric.text, metric.labels, registry=self._registry
                )
            elif metric.kind is Kind.GAUGE:
                self._gauges[name] = Gauge(
                    name, metric.text, metric.labels, registry=self._registry
                )
            else:
                self._histograms[name] = Histogram(
                    name,
                    metric.text,
                    metric.labels,
                    registry=self._registry,
                    buckets=_BUCKETS[metric.kind],
                )

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Add to a counter."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(value)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Record a duration or size."""
        histogram = self._histograms[name]
        (histogram.labels(**labels) if labels else histogram).observe(value)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge to what it is now."""
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def clear(self, name: str) -> None:
        """Forget all labels of a gauge, before it is set anew."""
        self._gauges[name].clear()

    def render(self) -> tuple[bytes, str]:
        """Everything in Prometheus's text format, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class NoMetrics:
    """``ports.Metrics`` that keeps nothing."""

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Nothing."""

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Nothing."""
