"""Every setting that deploy/ uses exists, and its value is one that the hub accepts."""

from __future__ import annotations

import re

import pytest

from connector.settings import PREFIX, Settings, unknown_names
from tests.unit.deploy.files import (
    DEPLOY,
    ROOT,
    asked_for,
    compose,
    containers,
    example_environment,
    objects,
    text,
)

# What is no setting of the hub: variables of compose.yaml, and of images that others make.
OURS = {"HUB_IMAGE", "PROXY_PORT", "PROXY_TLS", "PROXY_TLS_PORT", "PROXY_CERTIFICATES"} | {
    "COMPOSE_PROFILES",
    "RABBITMQ_PAGE_PORT",
    "PROMETHEUS_PORT",
    "GRAFANA_PORT",
}
THIRD_PARTY = {
    "MONGO_INITDB_ROOT_USERNAME",
    "MONGO_INITDB_ROOT_PASSWORD_FILE",
    "GF_SECURITY_ADMIN_PASSWORD__FILE",
    "GF_USERS_ALLOW_SIGN_UP",
    "GF_ANALYTICS_REPORTING_ENABLED",
}
KEY = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def hub_environments() -> dict[str, dict[str, str]]:
    """What each place sets, and what Compose and Kubernetes add to it."""
    found = {
        f"compose {name}": service["environment"]
        for name, service in compose().items()
        if name == "services"
        for name, service in service.items()
        if name.startswith(("web", "worker"))
    }
    config = objects("ConfigMap")["hub"]["data"]
    secret = objects("Secret")["hub"]["stringData"]
    found["kubernetes"] = config | secret
    found[".env.example"] = example_environment()
    return found


@pytest.fixture
def clean(monkeypatch, tmp_path):
    """An environment of nobody's."""
    import os

    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def test_every_name_in_every_file_is_a_setting():
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    files += [ROOT / "Dockerfile", ROOT / "docs/runbook.md"]
    used = {
        name for path in files for name in re.findall(rf"\b{PREFIX}\w+", path.read_text("utf-8"))
    }
    assert len(used) > 10
    # The name of an environment variable that tests read, not one of the hub's.
    assert unknown_names(dict.fromkeys(used - {"CONNECTOR_NGINX"}, "")) == []


def test_no_other_name_is_used():
    assert asked_for(text("compose.yaml")) <= OURS | set(example_environment())
    names = {name for name in example_environment() if not name.startswith(PREFIX)}
    assert names <= OURS
    for service in compose()["services"].values():
        others = {name for name in service.get("environment", {}) if not name.startswith(PREFIX)}
        assert others <= THIRD_PARTY


@pytest.mark.parametrize("place", sorted(hub_environments()))
def test_the_hub_accepts_every_value(place, clean):
    for name, value in hub_environments()[place].items():
        filled = value.replace("k1:BASE64-OF-32-BYTES", KEY)
        clean.setenv(name, filled)
    settings = Settings()
    settings.require_serve()
    for name, value in hub_environments()[place].items():
        field = name.removeprefix(PREFIX).lower()
        if value and name.startswith(PREFIX):
            assert field in settings.model_fields_set


def test_an_empty_variable_leaves_the_word_to_the_file_of_secrets(clean, tmp_path):
    (tmp_path / ".env").write_text("CONNECTOR_STORE_URL=sqlite:////from/the/file.db\n")
    clean.setenv("CONNECTOR_STORE_URL", "")
    assert compose()["services"]["web"]["environment"]["CONNECTOR_STORE_URL"] == ""
    assert Settings().store_url == "sqlite:////from/the/file.db"


def test_pods_take_settings_from_the_map_and_the_secret():
    for name, _, container in containers():
        if container["name"] == "hub":
            sources = [next(iter(one.values()))["name"] for one in container["envFrom"]]
            assert sources == ["hub", "hub"], name


def test_the_ports_are_the_ones_that_are_bound():
    data = objects("ConfigMap")["hub"]["data"]
    for name, _, container in containers():
        if container["name"] != "hub":
            continue
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert data["CONNECTOR_ADMIN_BIND"].endswith(f":{ports['admin']}")
        if name == "web":
            assert data["CONNECTOR_BIND"].endswith(f":{ports['public']}")
