"""Alerts, dashboard, autoscaling and runbook ask for metrics and labels that the hub emits."""

from __future__ import annotations

import re
from collections.abc import Iterator

import promql_parser
import pytest
import yaml
from promql_parser import AggregateExpr, BinaryExpr, VectorSelector

from connector.drivers.metrics import METRICS, PREFIX, Kind, PrometheusMetrics
from tests.unit.deploy.files import DEPLOY, ROOT, alerts, dashboard, objects, text

# What Prometheus adds to every series, and metrics that others emit.
TARGET = {"job", "instance"}
FOREIGN = {
    "up": TARGET,
    "rabbitmq_alarms_memory_used_watermark": TARGET,
    "rabbitmq_alarms_free_disk_space_watermark": TARGET,
}
# Values of labels that alerts depend on; each is checked below against the code that gives it.
_VARIABLE = re.compile(r"\$(\w+|\{\w+\})")


def exported() -> dict[str, set[str]]:
    """Every series that the hub shows, as Prometheus will call it, with its labels."""
    found = dict(FOREIGN)
    for name, metric in METRICS.items():
        labels = {*metric.labels, *TARGET}
        if metric.kind is Kind.SECONDS:
            found[f"{PREFIX}{name}_bucket"] = labels | {"le"}
            found[f"{PREFIX}{name}_count"] = found[f"{PREFIX}{name}_sum"] = labels
        else:
            found[PREFIX + name] = labels
    return found


def runbook_queries() -> Iterator[str]:
    for section in re.split(r"^### ", text("../docs/runbook.md"), flags=re.MULTILINE)[1:]:
        asked = section.partition("*Query.*")[2].partition("*Action.*")[0]
        yield from (query.replace("\n", " ") for query in re.findall(r"`([^`]+)`", asked))


def queries() -> Iterator[tuple[str, str]]:
    """Where a query stands, and the query as Prometheus would get it."""
    for name, rule in alerts().items():
        yield f"alert {name}", rule["expr"]
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"].replace("$__rate_interval", "5m")
            yield f"panel {panel['title']}", _VARIABLE.sub(".*", query)
    for one in objects("ScaledObject").values():
        for trigger in one["spec"]["triggers"]:
            yield "autoscaling", trigger["metadata"]["query"]
    for query in runbook_queries():
        yield f"runbook {query}", query


def parsed(query: str) -> tuple[list[VectorSelector], set[str]]:
    """The selectors of a query, and labels by which results are put together."""
    selectors: list[VectorSelector] = []
    grouped: set[str] = set()

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, VectorSelector):
            selectors.append(node)
        elif isinstance(node, AggregateExpr | BinaryExpr) and node.modifier is not None:
            labels = getattr(node.modifier, "labels", None) or []
            if isinstance(node, BinaryExpr) and node.modifier.matching is not None:
                labels = node.modifier.matching.labels
            grouped.update(labels)

    promql_parser.walk(promql_parser.parse(query), visit)
    return selectors, grouped


def test_the_names_are_those_that_are_shown():
    """The table's names are what a scrape shows, and not names that a library changes."""
    metrics = PrometheusMetrics()
    for name, metric in METRICS.items():
        labels = dict.fromkeys(metric.labels, "x")
        act = {
            Kind.COUNTER: metrics.count,
            Kind.GAUGE: metrics.gauge,
            Kind.SECONDS: metrics.observe,
        }
        act[metric.kind](name, 1, **labels)
    shown = metrics.render()[0].decode()
    series = {
        match[1]: set(re.findall(r'(\w+)="', match[2] or "")) | TARGET
        for match in re.finditer(r"^(\w+)(\{[^}]*\})? ", shown, re.MULTILINE)
    }
    for name, labels in exported().items():
        if name not in FOREIGN:
            assert series[name] == labels


@pytest.mark.parametrize(("place", "query"), list(queries()))
def test_every_metric_and_label_exists(place, query):
    known = exported()
    selectors, grouped = parsed(query)
    available: set[str] = set()
    assert selectors
    for selector in selectors:
        assert selector.name in known, f"{place}: {selector.name} is not emitted"
        labels = known[selector.name]
        matched = {one.name for one in selector.matchers.matchers} - {"__name__"}
        assert matched <= labels, f"{place}: {selector.name} has no {matched - labels}"
        available |= labels
    assert grouped <= available, f"{place}: nothing has {grouped - available}"


def test_the_check_notices_what_is_missing():
    with pytest.raises(AssertionError, match="not emitted"):
        test_every_metric_and_label_exists("x", "sum(rate(hub_turn_total[5m]))")
    with pytest.raises(AssertionError, match="has no"):
        test_every_metric_and_label_exists("x", 'hub_turns_total{connection="a"}')
    with pytest.raises(AssertionError, match="nothing has"):
        test_every_metric_and_label_exists("x", "sum by (connection) (hub_turns_total)")
    with pytest.raises(ValueError, match="parenthesis"):
        test_every_metric_and_label_exists("x", "sum(hub_turns_total")


def test_texts_of_alerts_use_labels_that_their_results_have():
    for name, rule in alerts().items():
        _, grouped = parsed(rule["expr"])
        whole = not re.search(r"\b(sum|max|count|quantile|absent)\b", rule["expr"])
        said = " ".join(rule["annotations"].values())
        for label in re.findall(r"\$labels\.(\w+)", said):
            assert label in (TARGET if whole else grouped), f"{name}: {label}"


def test_gauges_of_the_whole_ledger_are_not_added_up_over_processes():
    """Every process shows them: without ``max by`` ten processes make ten times the keys."""
    for place, query in queries():
        for found in re.finditer(r"hub_pending_\w+", query):
            before = query[: found.start()]
            inner = re.search(r"(max|delta|topk)[^()]*(\([^()]*\) *)?\((\d+, *)?$", before)
            assert inner, f"{place}: {query}"


def test_states_and_outcomes_are_words_that_the_hub_uses():
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "connector").rglob("*.py"))
    )
    words: dict[str, set[str]] = {}
    for _, query in queries():
        for selector in parsed(query)[0]:
            for one in selector.matchers.matchers:
                if one.name in {"state", "outcome", "route", "context"}:
                    words.setdefault(one.name, set()).update(one.value.split("|"))
    assert words["state"] == {"due", "parked"}
    for word in words["state"] | words["route"] - {"app-.*"} | {"no_answer", "not_sent", "refused"}:
        assert f'"{word}"' in source
    assert words["outcome"] == {"5xx", "4xx", "no_answer", "not_sent", "refused", "ok"}
    assert words["context"] == {"orders"}


def test_alerts_say_how_bad_it_is_and_what_to_do():
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in {"critical", "warning"}, name
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"


def test_every_alert_has_its_section_and_every_section_its_alert():
    book = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    sections = re.split(r"^### ", book, flags=re.MULTILINE)[1:]
    assert [section.split()[0] for section in sections] == list(alerts())
    for section in sections:
        places = [section.find(part) for part in ("*Symptom.*", "*Query.*", "*Action.*")]
        assert -1 not in places
        assert places == sorted(places)


def test_tests_of_alerts_speak_of_alerts_that_exist():
    tried = {
        asked["alertname"]
        for one in yaml.safe_load(text("prometheus/alerts.test.yaml"))["tests"]
        for asked in one["alert_rule_test"]
    }
    assert tried <= set(alerts())
    assert len(tried) >= 5


def test_prometheus_scrapes_what_alerts_ask_for():
    scraped = yaml.safe_load(text("prometheus/prometheus.yaml"))
    jobs = {one["job_name"]: one for one in scraped["scrape_configs"]}
    asked = {
        one.value
        for _, query in queries()
        for selector in parsed(query)[0]
        for one in selector.matchers.matchers
        if one.name == "job" and "|" not in one.value
    }
    assert asked == set(jobs)
    from tests.unit.deploy.files import compose

    services = compose()["services"]
    for one in jobs.values():
        for found in one.get("dns_sd_configs", ()):
            assert set(found["names"]) <= set(services)
            assert f"{found['port']}" in services[found["names"][0]]["expose"]


def test_the_dashboard_is_provisioned_whole():
    board = dashboard()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
    variables = {one["name"] for one in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)\}?", " ".join(_texts(board["panels"]))))
    assert used - {"__rate_interval"} <= variables
    provider = yaml.safe_load(text("grafana/provisioning/dashboards/hub.yaml"))["providers"][0]
    assert f":{provider['options']['path']}/hub.json:ro" in text("compose.yaml")
    source = yaml.safe_load(text("grafana/provisioning/datasources/prometheus.yaml"))
    assert source["datasources"][0]["uid"] == board["templating"]["list"][0]["current"]["value"]
    assert (DEPLOY / "grafana/dashboard.json").exists()


def _texts(panels: list[dict]) -> Iterator[str]:
    for panel in panels:
        for target in panel.get("targets", ()):
            yield target["expr"]
            yield target["datasource"]["uid"]
