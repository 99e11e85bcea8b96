"""The Kubernetes API as types that refuse what it does not have."""

from __future__ import annotations

import dataclasses
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

Api = Callable[[str], types.ModuleType]

MODULES = {
    "v1": "core_v1",
    "apps/v1": "apps_v1",
    "autoscaling/v2": "autoscaling_v2",
    "networking.k8s.io/v1": "networking_v1",
    "policy/v1": "policy_v1",
}


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Trigger(Strict):
    type: Literal["prometheus"]
    metric_type: Literal["AverageValue", "Value"]
    metadata: dict[Literal["serverAddress", "query", "threshold", "ignoreNullValues"], str]


class ScaledObjectSpec(Strict):
    """What we use of KEDA's ``keda.sh/v1alpha1`` (keda.sh, "ScaledObject specification")."""

    class Target(Strict):
        kind: Literal["Deployment"]
        name: str

    class Fallback(Strict):
        failure_threshold: int
        replicas: int

    class Advanced(Strict):
        class Scaling(Strict):
            behavior: dict[Literal["scaleUp", "scaleDown"], dict[str, Any]]

        horizontal_pod_autoscaler_config: Scaling

    scale_target_ref: Target
    min_replica_count: int = Field(ge=0)
    max_replica_count: int = Field(ge=1)
    polling_interval: int
    cooldown_period: int
    fallback: Fallback
    advanced: Advanced
    triggers: list[Trigger]


class PodMonitorSpec(Strict):
    """What we use of ``monitoring.coreos.com/v1`` (prometheus-operator.dev, "API reference")."""

    class Endpoint(Strict):
        class Relabeling(Strict):
            source_labels: list[str]
            target_label: str
            replacement: str

        port: str
        path: str
        interval: str
        scrape_timeout: str
        relabelings: list[Relabeling]

    selector: dict[Literal["matchLabels"], dict[str, str]]
    pod_metrics_endpoints: list[Endpoint]


CUSTOM: dict[str, type[Strict]] = {"ScaledObject": ScaledObjectSpec, "PodMonitor": PodMonitorSpec}


def _strict_dataclass(cls: type) -> type:
    made = dataclasses.dataclass(cls)
    made.__pydantic_config__ = ConfigDict(extra="forbid")
    return made


def _field(*, metadata: dict[str, str], default: Any = dataclasses.MISSING) -> Any:
    """A field whose name in JSON is no name in Python, such as ``from``."""
    wanted = Field(alias=metadata["json"])
    return wanted if default is dataclasses.MISSING else Field(default, alias=metadata["json"])


@contextmanager
def models() -> Iterator[Api]:
    """``lightkube.models`` without lightkube, whose only part in them is how a field is written."""
    schema = types.ModuleType("lightkube.core.schema")
    vars(schema).update(dataclass=_strict_dataclass, field=_field, DictMixin=object)
    names = {"lightkube.core": types.ModuleType("lightkube.core"), "lightkube.core.schema": schema}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in names.items():
            patch.setitem(sys.modules, name, module)
        yield lambda name: importlib.import_module(f"lightkube.models.{name}")
    for name in [name for name in sys.modules if name.startswith("lightkube")]:
        del sys.modules[name]


def check(api: Api, one: dict[str, Any]) -> None:
    """Raises ValidationError for a field that the API does not have, or of another type."""
    if spec := CUSTOM.get(one["kind"]):
        assert set(one) == {"apiVersion", "kind", "metadata", "spec"}
        spec.model_validate(one["spec"], strict=True)
        return
    model = getattr(api(MODULES[one["apiVersion"]]), one["kind"])
    TypeAdapter(model).validate_python(one)
