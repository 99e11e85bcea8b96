"""The proxy's caps agree with the hub's, and its log tells nothing of a URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import crossplane
import pytest

from connector.web import incoming, public, serving
from tests.unit.deploy.files import DEPLOY, compose, objects

NGINX = DEPLOY / "nginx"
# Everything that nginx can say of a request's target or its headers.
TELLING = re.compile(
    r"\$(request|request_uri|uri|document_uri|args|query_string|arg_\w+|is_args|request_filename"
    r"|http_\w+|cookie_\w+|request_body|proxy_add_x_forwarded_for|connection_requests_uri)\b"
)


@pytest.fixture(scope="module")
def parsed(tmp_path_factory) -> list[dict[str, Any]]:
    """All directives, with includes in their places; raises for what nginx does not know."""
    place = tmp_path_factory.mktemp("nginx")
    for name, source in mounted("on").items():
        content = (NGINX / source).read_text(encoding="utf-8")
        (place / name).write_text(content.replace("/etc/nginx/", f"{place}/"))
    told = crossplane.parse(str(place / "nginx.conf"), combine=True)
    assert told["errors"] == []
    directives: list[dict[str, Any]] = told["config"][0]["parsed"]
    assert [name for name in names(directives) if name not in crossplane.analyzer.DIRECTIVES] == [
        "http2"  # newer than the parser's list: nginx 1.25.1
    ]
    return directives


def names(block: list[dict[str, Any]]) -> Iterator[str]:
    """All directives; what stands in a map is no directive."""
    for one in block:
        yield one["directive"]
        if one["directive"] != "map":
            yield from names(one.get("block", []))


def mounted(tls: str) -> dict[str, str]:
    """Names in /etc/nginx and the files of ours that compose.yaml puts there."""
    volumes = compose(PROXY_TLS=tls)["services"]["proxy"]["volumes"]
    pairs = [volume.split(":")[:2] for volume in volumes if "/nginx/" in volume.split(":")[0]]
    return {Path(target).name: Path(source).name for source, target in pairs}


def every(block: list[dict[str, Any]], name: str) -> list[list[str]]:
    found = []
    for one in block:
        if one["directive"] == name:
            found.append(one["args"])
        found += every(one.get("block", []), name)
    return found


def within(block: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    found = []
    for one in block:
        if one["directive"] == name:
            found.append(one)
        found += within(one.get("block", []), name)
    return found


def size(written: str) -> int:
    units = {"k": 1024, "m": 1024 * 1024}
    return int(written[:-1]) * units[written[-1]]


def test_slow_senders_are_cut_off(parsed):
    for name in ("client_header_timeout", "client_body_timeout", "send_timeout"):
        assert every(parsed, name) == [["10s"]]
    assert {zone for zone, _ in every(parsed, "limit_conn")} == {"per_address", "all_together"}
    assert every(parsed, "proxy_request_buffering") == [["on"], ["on"]]


def test_caps_are_the_hubs(parsed):
    (http,) = [one["block"] for one in parsed if one["directive"] == "http"]
    (general,) = [one["args"][0] for one in http if one["directive"] == "client_max_body_size"]
    assert size(general) == incoming.SMALL_BODY
    for location in within(http, "location"):
        for (cap,) in every(location["block"], "client_max_body_size"):
            assert "invoice" in location["args"][-1]
            assert size(cap) == incoming.INVOICE_BODY


def test_idle_connections_to_the_hub_are_closed_by_the_proxy(parsed):
    (upstream,) = within(parsed, "upstream")
    ((kept,),) = every(upstream["block"], "keepalive_timeout")
    assert float(kept.removesuffix("s")) < serving.KEEP_ALIVE_S


def test_the_log_says_nothing_of_a_path(parsed):
    (log,) = every(parsed, "log_format")
    assert TELLING.findall("".join(log)) == []
    assert "$hub_route" in "".join(log)
    assert every(parsed, "access_log") == [["/dev/stdout", "hub"], ["off"]]
    (http,) = [one["block"] for one in parsed if one["directive"] == "http"]
    # Messages about requests quote them, so inside http nothing below emerg is written.
    assert every(http, "error_log") == [["/dev/stderr", "emerg"]]


def test_routes_have_the_hubs_names_and_nothing_of_the_url(parsed):
    (names,) = within(parsed, "map")
    assert names["args"] == ["$request_uri", "$hub_route"]
    values = {one["args"][0] for one in names["block"]}
    assert not any("$" in value for value in values)
    rules = [(one["directive"], one["args"][0]) for one in names["block"]]

    def named(path: str) -> str:
        for pattern, value in rules:
            if pattern.startswith("~") and re.search(pattern[1:], path):
                return value
        return "other"

    examples = {
        "/vtex/v1/acme-mkt-1/SECRET/api/notification": "notification",
        "/vtex/v1/acme-mkt-1/SECRET/catalog/notification/": "notification",
        "//vtex/v1//acme-mkt-1/SECRET/pvt/orders/1-01/invoice/5/tracking": "orders",
        "/vtex/v1/acme-mkt-1/SECRET/order-integration/notification/processing-result": "result",
        "/vtex/v1/acme-mkt-1/SECRET/logs?date=1": "log",
        "/vtex/v1/acme-mkt-1/SECRET/acme/logs": "log",
        "/marketplace/v1/acme-mkt-1/SECRET": "webhook",
    }
    for path, route in examples.items():
        assert named(path) == route
        hub_says = public.route_of(tuple(filter(None, path.partition("?")[0].split("/"))))
        assert route == hub_says
    assert named("/vtex/v1/app/SECRET/catalog/notification") == "vtex-app"
    assert named("/marketplace/v1/app/demo/SECRET") == "marketplace-app"
    assert named("/api/v1/connections") == "other"


def test_only_the_public_paths_are_passed_on(parsed):
    passed = [
        one["args"][-1] for one in within(parsed, "location") if every(one["block"], "proxy_pass")
    ]
    assert all(
        path.removeprefix("^").startswith(("/vtex/v1/", "/marketplace/v1/")) for path in passed
    )
    assert {tuple(one) for one in every(parsed, "proxy_pass")} == {("http://hub",)}
    (upstream,) = within(parsed, "upstream")
    (server,) = every(upstream["block"], "server")
    name, _, port = server[0].partition(":")
    assert port in compose()["services"][name]["expose"]


def test_tls_is_modern(parsed):
    assert every(parsed, "ssl_protocols") == [["TLSv1.2", "TLSv1.3"]]
    ((certificate,), (key,)) = (
        *every(parsed, "ssl_certificate"), *every(parsed, "ssl_certificate_key")
    )  # fmt: skip
    assert (Path(certificate).name, Path(key).name) == ("fullchain.pem", "privkey.pem")


def test_kubernetes_mounts_the_same_files():
    (container,) = objects("Deployment")["proxy"]["spec"]["template"]["spec"]["containers"]
    mounts = {mount["subPath"] for mount in container["volumeMounts"] if "subPath" in mount}
    assert mounts == set(mounted("off"))
    place = (NGINX / "place-kubernetes.conf").read_text(encoding="utf-8")
    services = objects("Service")
    assert f"server web:{services['web']['spec']['ports'][0]['port']} " in place
    assert container["image"] == compose()["services"]["proxy"]["image"]
