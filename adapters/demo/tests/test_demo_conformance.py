"""Demo Market against the conformance kit: every rule of the level in quality.toml is a test."""

from connector.sdk.kit.pytest import conformance

test_conformance = conformance("demo")
