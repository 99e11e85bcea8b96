"""The manifests keep to the Kubernetes API, and to what the hub needs of it."""

from __future__ import annotations

import re

import click
import pytest
from pydantic import ValidationError

from connector.cli.main import cli
from tests.unit.deploy.api import check, models
from tests.unit.deploy.files import (
    DEPLOY,
    KUBERNETES,
    containers,
    documents,
    manifests,
    objects,
)


@pytest.fixture(scope="module")
def api():
    with models() as found:
        yield found


@pytest.mark.parametrize(
    ("place", "one"), list(manifests()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_it_keeps_to_the_api(place, one, api):
    check(api, one)


def test_the_api_notices_mistakes(api):
    wrong = objects("Deployment")["web"]
    wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 45
    with pytest.raises(ValidationError, match="terminationGracePeriod"):
        check(api, wrong)
    policy = objects("NetworkPolicy")["hub"]
    policy["spec"]["ingress"][0]["ports"][0]["port"] = ["8080"]
    with pytest.raises(ValidationError):
        check(api, policy)


def test_kustomizations_name_files_that_exist():
    paths = [*KUBERNETES.rglob("kustomization.yaml"), DEPLOY / "nginx/kustomization.yaml"]
    assert len(paths) == 3
    for path in paths:
        (one,) = documents(path)
        listed = set(one.get("resources", ()))
        for made in one.get("configMapGenerator", ()):
            listed |= {file.rpartition("=")[2] for file in made["files"]}
        for name in listed:
            assert (path.parent / name).exists(), f"{path}: {name}"
        # An example is left out on purpose, and a file that was forgotten is noticed.
        left_out = {file.name for file in path.parent.glob("*.yaml")} - listed
        assert left_out <= {"kustomization.yaml", "secret.example.yaml", "worker-demo.yaml"}


# --- what the hub needs ---------------------------------------------------------------------------


def test_pods_have_no_rights():
    for name, pod, container in containers():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} == set(container["resources"])
        assert pod["topologySpreadConstraints"]


def test_there_is_time_to_finish():
    allowed = float(objects("ConfigMap")["hub"]["data"]["CONNECTOR_SHUTDOWN_S"])
    for name, pod, container in containers():
        before = 0.0
        if hook := container.get("lifecycle"):
            program, seconds = hook["preStop"]["exec"]["command"]
            assert program == "sleep"
            before = float(seconds)
        assert pod["terminationGracePeriodSeconds"] >= before + allowed + 5, name
        assert pod["terminationGracePeriodSeconds"] >= 30


def test_probes_ask_what_the_hub_answers():
    from connector.web import admin

    source = admin.AdminSite.app
    answered = {const for const in source.__code__.co_consts if isinstance(const, str)}
    for name, _, container in containers():
        if container["name"] != "hub":
            continue
        ports = {port["name"] for port in container["ports"]}
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            asked = container[probe]["httpGet"]
            assert asked["path"] in answered, f"{name}: {probe}"
            assert asked["port"] in ports
        # A ledger that is away must not restart every process.
        assert container["livenessProbe"]["httpGet"]["path"] == "/live"
        assert container["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_processes_are_called_as_they_can_be():
    roles = {}
    for name, _, container in containers():
        if container["name"] == "hub":
            program, command, *options = container["args"]
            assert program == "connector"
            serve = cli.get_command(click.Context(cli), command)
            assert serve is not None
            roles[name] = serve.make_context(command, options).params["role"]
    assert roles == {"web": "web", "worker": "worker", "worker-demo": "worker"}


def test_selectors_find_their_pods_and_nobody_elses():
    labels = {
        name: one["spec"]["template"]["metadata"]["labels"]
        for name, one in objects("Deployment").items()
    }

    def found(wanted: dict[str, str]) -> set[str]:
        return {name for name, has in labels.items() if wanted.items() <= has.items()}

    for name, one in objects("Deployment").items():
        assert found(one["spec"]["selector"]["matchLabels"]) == {name}
    for name, one in objects("PodDisruptionBudget").items():
        assert found(one["spec"]["selector"]["matchLabels"]) == {name}
    for name, one in objects("Service").items():
        assert found(one["spec"]["selector"]) == {name}
    policies = objects("NetworkPolicy")
    hub = {"web", "worker", "worker-demo"}
    assert found(policies["hub"]["spec"]["podSelector"]["matchLabels"]) == hub
    assert found(policies["proxy"]["spec"]["podSelector"]["matchLabels"]) == {"proxy"}
    monitor = objects("PodMonitor")["hub"]["spec"]
    assert found(monitor["selector"]["matchLabels"]) == hub


def test_the_admin_port_is_for_prometheus_alone():
    (one,) = [
        rule
        for rule in objects("NetworkPolicy")["hub"]["spec"]["ingress"]
        if {"protocol": "TCP", "port": 8081} in rule["ports"]
    ]
    assert len(one["from"]) == 1
    assert "namespaceSelector" in one["from"][0]
    for name, service in objects("Service").items():
        assert all(port["port"] != 8081 for port in service["spec"]["ports"]), name


def test_a_budget_leaves_somebody():
    for name, one in objects("PodDisruptionBudget").items():
        replicas = objects("Deployment")[name]["spec"]["replicas"]
        assert replicas > one["spec"].get("minAvailable", 0)
        assert replicas > one["spec"].get("maxUnavailable", 0)


def test_what_is_scaled_and_scraped_exists():
    deployments = objects("Deployment")
    for kind in ("ScaledObject", "HorizontalPodAutoscaler"):
        for one in objects(kind).values():
            assert one["spec"]["scaleTargetRef"]["name"] in deployments
    scaled = objects("ScaledObject")["worker"]["spec"]
    assert scaled["minReplicaCount"] == deployments["worker"]["spec"]["replicas"]
    (endpoint,) = objects("PodMonitor")["hub"]["spec"]["podMetricsEndpoints"]
    for _, _, container in containers():
        if container["name"] == "hub":
            assert endpoint["port"] in {port["name"] for port in container["ports"]}
    (relabeling,) = endpoint["relabelings"]
    assert re.sub("[/.]", "_", "app.kubernetes.io/component") in relabeling["sourceLabels"][0]


def test_the_example_of_a_secret_is_no_secret():
    for value in objects("Secret")["hub"]["stringData"].values():
        assert re.search("PASSWORD|BASE64-OF|CHARACTERS", value)
    (base,) = documents(KUBERNETES / "base/kustomization.yaml")
    assert "secret.example.yaml" not in base["resources"]
