import ast
from pathlib import Path

import pytest

from connector.drivers.metrics import METRICS, PREFIX, Kind, NoMetrics, PrometheusMetrics

ROOT = Path(__file__).parents[3]


def test_values_are_shown():
    metrics = PrometheusMetrics()
    metrics.count("notifications_total", 3, connection="c")
    metrics.count("hub_notifications_total", connection="c")
    metrics.count("pushes_total", action="create")
    metrics.observe("http_seconds", 0.3, peer="vtex", operation="read")
    metrics.gauge("breakers_open", 1, peer="demo")
    text, content_type = metrics.render()
    lines = text.decode().splitlines()
    assert 'hub_notifications_total{connection="c"} 4.0' in lines
    assert 'hub_pushes_total{action="create"} 1.0' in lines
    assert 'hub_http_seconds_bucket{le="0.5",operation="read",peer="vtex"} 1.0' in lines
    assert 'hub_breakers_open{peer="demo"} 1.0' in lines
    assert content_type.startswith("text/plain")
    metrics.clear("breakers_open")
    assert b'hub_breakers_open{peer="demo"}' not in metrics.render()[0]


def test_registries_are_apart():
    first, second = PrometheusMetrics(), PrometheusMetrics()
    first.count("simulations_total")
    assert "hub_simulations_total 0.0" in second.render()[0].decode()


def test_unknown_names_and_labels_are_errors():
    metrics = PrometheusMetrics()
    with pytest.raises(KeyError):
        metrics.count("made_up_total")
    with pytest.raises(ValueError, match="label"):
        metrics.count("pushes_total", colour="red")
    NoMetrics().count("made_up_total")
    NoMetrics().observe("made_up", 1)


def used() -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Every metric the hub's code names: file, method, name, labels."""
    found = []
    for path in sorted((ROOT / "connector").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = ast.unparse(node.func.value)
            if node.func.attr not in {"count", "observe", "gauge"} or "metrics" not in owner:
                continue
            name = node.args[0]
            assert isinstance(name, ast.Constant), f"{path}: metrics are named literally"
            labels = tuple(sorted(word.arg for word in node.keywords if word.arg != "value"))
            found.append((str(path.relative_to(ROOT)), node.func.attr, name.value, labels))
    return found


@pytest.mark.parametrize(("path", "method", "name", "labels"), used())
def test_every_metric_that_is_used_is_in_the_table(path, method, name, labels):
    metric = METRICS[name.removeprefix(PREFIX)]
    kinds = {
        "count": {Kind.COUNTER},
        "gauge": {Kind.GAUGE},
        "observe": {Kind.SECONDS},
    }
    assert metric.kind in kinds[method]
    assert tuple(sorted(metric.labels)) == labels
