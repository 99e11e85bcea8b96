"""The quality ladder, rule by rule."""

from connector.sdk.kit.pytest import conformance

test_conformance = conformance("mirakl")
