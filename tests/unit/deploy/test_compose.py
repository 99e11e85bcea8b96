"""compose.yaml keeps to the Compose specification, and to what the hub and its servers need."""

from __future__ import annotations

import itertools
import json
import sys
import tomllib
from importlib.metadata import requires, version
from pathlib import Path

import click
import pytest
from compose_spec import PyCompose
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from connector.cli.main import cli
from connector.settings import Settings
from tests.unit.deploy.files import DEPLOY, ROOT, compose, text

HUB = {"web", "worker", "worker-demo"}
DATABASES = {"mongo1", "mongo2", "mongo3", "rabbitmq"}
ONCE = {"secrets", "mongo-init"}


def test_it_keeps_to_the_specification():
    parsed = PyCompose.from_json(json.dumps(compose()))
    assert HUB | DATABASES | ONCE | {"proxy"} <= set(parsed.service_names())


def test_the_specification_notices_mistakes():
    wrong = compose()
    wrong["services"]["web"]["helthcheck"] = {}
    with pytest.raises(ValueError, match="helthcheck"):
        PyCompose.from_json(json.dumps(wrong))


def test_all_files_that_are_mounted_exist():
    for name, service in compose()["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./") and source != "./certificates":
                assert (DEPLOY / source).exists(), f"{name}: {source}"
            elif not source.startswith("."):
                assert source in compose()["volumes"], f"{name}: {source}"
    assert "tls-on.conf" in str(compose(PROXY_TLS="on")["services"]["proxy"]["volumes"])
    assert (DEPLOY / "nginx/tls-on.conf").exists()


def test_who_waits_for_whom_exists_and_can_be_waited_for():
    services = compose()["services"]
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            waited = services[other]
            if how["condition"] == "service_healthy":
                assert "test" in waited["healthcheck"], f"{name} waits for {other}'s health"
            else:
                assert other in ONCE
            if waited.get("profiles") and not service.get("profiles"):
                assert how["required"] is False, f"{name} needs {other} of a profile"


def test_without_profiles_a_whole_hub_starts():
    plain = {name for name, one in compose()["services"].items() if not one.get("profiles")}
    assert plain == {"web", "worker", "proxy", "mongo1", "rabbitmq", *ONCE}
    assert compose()["services"]["web"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_every_service_is_restarted_limited_and_watched(name):
    service = compose()["services"][name]
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert "no-new-privileges:true" in service["security_opt"]
    if name in ONCE:
        assert service["restart"] in {"no", "on-failure"}
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]
    tag = service["image"].rpartition(":")[2]
    assert any(char.isdigit() for char in tag) or tag == "local", "an image without a version"


def test_no_database_port_is_published_and_pages_stay_on_this_machine():
    for name, service in compose()["services"].items():
        for port in service.get("ports", ()):
            if name != "proxy":
                assert port.startswith("127.0.0.1:"), f"{name}: {port}"
            assert not port.endswith((":27017", ":5672", ":8081"))


def test_databases_and_the_proxy_cannot_reach_the_outside():
    networks, services = compose()["networks"], compose()["services"]
    assert networks["data"]["internal"]
    assert networks["front"]["internal"]
    for name in ("mongo1", "mongo2", "mongo3", "mongo-init"):
        assert services[name]["networks"] == ["data"]
    assert "data" not in services["proxy"]["networks"]
    assert "front" not in services["worker"]["networks"]


@pytest.mark.parametrize("name", sorted(HUB))
def test_processes_of_the_hub_are_called_as_they_can_be(name):
    service = compose()["services"][name]
    program, *arguments = service["command"]
    assert program == "connector"
    command, *options = arguments
    serve = cli.get_command(click.Context(cli), command)
    assert serve is not None
    assert serve.make_context(command, options).params["role"] in name


@pytest.mark.parametrize("name", sorted(HUB))
def test_processes_of_the_hub_have_no_rights_and_time_to_finish(name):
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] == "10001:10001"
    allowed = float(service["environment"]["CONNECTOR_SHUTDOWN_S"])
    assert float(service["stop_grace_period"].removesuffix("s")) >= allowed + 5
    assert "data" in service["networks"]


def test_the_working_folder_is_where_the_secrets_are():
    web = compose()["services"]["web"]
    assert f"secrets-hub:{web['working_dir']}:ro" in web["volumes"]
    assert Settings.model_config["env_file"] == ".env"


def test_each_server_sees_its_own_secrets_alone():
    users: dict[str, set[str]] = {}
    for name, service in compose()["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("secrets-") and name != "secrets":
                assert volume.endswith(":ro")
                users.setdefault(source, set()).add(name)
    assert users == {
        "secrets-hub": HUB,
        "secrets-mongodb": {"mongo1", "mongo2", "mongo3", "mongo-init"},
        "secrets-rabbitmq": {"rabbitmq"},
        "secrets-grafana": {"grafana"},
    }


def test_no_password_is_in_the_file():
    for name, service in compose()["services"].items():
        environment = service.get("environment", {})
        for variable, value in environment.items():
            if "PASSWORD" in variable:
                assert variable.endswith("_FILE"), name
                assert value.startswith("/run/secrets-"), name
    assert "://hub:" not in text("compose.yaml")


def test_probes_ask_what_the_hub_answers():
    probe = compose()["services"]["web"]["healthcheck"]["test"][-1]
    assert "http://127.0.0.1:8081/ready" in probe
    environment = compose()["services"]["web"]["environment"]
    assert environment["CONNECTOR_ADMIN_BIND"].endswith(":8081")
    assert environment["CONNECTOR_BIND"].endswith(":8080")


def test_the_image_is_built_once_by_whom_everybody_waits_for():
    services = compose()["services"]
    ours = {name for name, one in services.items() if one["image"] == "connector-hub:local"}
    assert ours == HUB | ONCE
    (builder,) = [name for name, one in services.items() if "build" in one]
    assert (DEPLOY / Path(services[builder]["build"]["context"])).resolve() == ROOT

    def waits(name: str) -> bool:
        others = services[name].get("depends_on", {})
        return builder in others or any(waits(other) for other in others)

    assert all(waits(name) for name in ours - {builder})


def constraints() -> dict[str, str]:
    lines = text("constraints.txt").splitlines()
    pinned = [line.partition("==") for line in lines if line and not line.startswith("#")]
    return {name: version for name, _, version in pinned}


def test_every_package_of_the_image_is_pinned_and_is_one_that_the_hub_wants():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned, wanted = constraints(), [*project["dependencies"]]
    seen: set[str] = set()
    complete = True
    while wanted:
        asked = Requirement(wanted.pop())
        name = canonicalize_name(asked.name)
        if name in seen or (asked.marker and not asked.marker.evaluate({"extra": ""})):
            continue
        seen.add(name)
        assert asked.specifier.contains(pinned[name]), f"{asked} is not {pinned[name]}"
        if version(name) == pinned[name]:  # another version may want other packages
            wanted += requires(name) or []
        else:
            complete = False
    assert seen <= set(pinned)
    if complete and sys.version_info[:2] == (3, 11):  # as in the image
        assert seen == set(pinned)
    assert "--constraint" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_the_image_is_pinned_unprivileged_and_checks_itself():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert bases[0].startswith("python:3.11.")
    users = [line for line in lines if line.startswith("USER ")]
    assert users == ["USER 10001:10001"]
    said = "\n".join(lines)
    assert "HEALTHCHECK" in said
    assert "http://127.0.0.1:8081/live" in said
    assert Settings.model_fields["admin_bind"].default == "127.0.0.1:8081"
    for source, copied in itertools.pairwise(said.split()):
        if source == "COPY" and not copied.startswith("--"):
            assert (ROOT / copied).exists()
