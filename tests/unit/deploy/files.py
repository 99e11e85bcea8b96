"""The files of deploy/, read as their servers would read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def text(path: str) -> str:
    return (DEPLOY / path).read_text(encoding="utf-8")


def documents(path: Path) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def asked_for(composed: str) -> set[str]:
    """Variables that Compose takes from the environment or ``deploy/.env``."""
    return {name for name, _ in _VARIABLE.findall(_uncommented(composed))}


def compose(**variables: str) -> dict[str, Any]:
    """compose.yaml as Compose sees it: merges made, then variables put into every text."""

    def value(found: re.Match[str]) -> str:
        return variables.get(found[1], found[2] or "")

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: filled(one) for key, one in node.items()}
        if isinstance(node, list):
            return [filled(one) for one in node]
        return _VARIABLE.sub(value, node).replace("$$", "$") if isinstance(node, str) else node

    loaded: dict[str, Any] = filled(yaml.safe_load(text("compose.yaml")))
    return loaded


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every Kubernetes object by its file, examples included; no kustomizations."""
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        for one in documents(path):
            if one["kind"] != "Kustomization":
                yield str(path.relative_to(KUBERNETES)), one


def objects(kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for _, one in manifests() if one["kind"] == kind}


def containers() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every deployment's name, pod and container."""
    for name, one in objects("Deployment").items():
        pod = one["spec"]["template"]["spec"]
        for container in pod["containers"]:
            yield name, pod, container


def example_environment() -> dict[str, str]:
    lines = text(".env.example").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(text("prometheus/alerts.yaml"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text("grafana/dashboard.json"))
    return loaded


def _uncommented(content: str) -> str:
    return "\n".join(line for line in content.splitlines() if not line.lstrip().startswith("#"))
