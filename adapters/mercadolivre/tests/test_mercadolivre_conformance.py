"""Mercado Livre against the conformance kit: every rule of its level is a test."""

from connector.sdk.kit.pytest import conformance

test_conformance = conformance("mercadolivre")
