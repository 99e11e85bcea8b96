"""Settings: read from the environment, refused with what to write instead, documented."""

from __future__ import annotations

import hashlib

import pytest

from connector.settings import (
    AdminToken,
    Role,
    Settings,
    SettingsError,
    host_port,
    load_settings,
    reference_markdown,
    unknown_names,
)

LONG = "0123456789abcdef"


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No .env file and no variables but a test's own."""
    monkeypatch.chdir(tmp_path)
    for name in unknown_names({}) or [
        f"CONNECTOR_{name.upper()}" for name in Settings.model_fields
    ]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def env(monkeypatch):
    def put(**values):
        for name, value in values.items():
            monkeypatch.setenv(f"CONNECTOR_{name}", value)
        return load_settings()

    return put


def test_everything_has_a_default():
    settings = load_settings()
    assert settings.store_url == "sqlite:///connector.db"
    assert settings.broker_url == "memory://"
    assert (settings.bind, settings.admin_bind) == ("127.0.0.1:8080", "127.0.0.1:8081")
    assert (settings.concurrency, settings.batch, settings.shutdown_s) == (8, 50, 25)
    assert settings.limits
    assert settings.allow_hosts == ()


def test_the_environment_wins_over_the_file(tmp_path, env):
    (tmp_path / ".env").write_text("CONNECTOR_BATCH=7\nCONNECTOR_CONCURRENCY=3\nOTHER=1\n")
    settings = env(BATCH="9")
    assert (settings.batch, settings.concurrency) == (9, 3)


def test_an_empty_variable_is_an_unset_one(env):
    assert env(BATCH="", SECRET_KEY="").secret_key is None


@pytest.mark.parametrize("text", ["a.example, b:8080", '["a.example", "b:8080"]'])
def test_lists_are_words_or_json(env, text):
    assert env(ALLOW_HOSTS=text).allow_hosts == ("a.example", "b:8080")


def test_tokens_are_told_by_themselves_or_by_their_digest(env):
    digest = hashlib.sha256(LONG.encode()).hexdigest()
    settings = env(
        ADMIN_TOKEN="another-long-token",
        ADMIN_TOKENS=f'[{{"token_sha256": "{digest}", "role": "operator", "connections": ["a"]}}]',
    )
    single, listed = settings.tokens()
    assert (single.who, single.role, single.connections) == ("admin", Role.ADMIN, ("*",))
    assert (listed.digest, listed.role, listed.connections) == (digest, Role.OPERATOR, ("a",))
    assert listed.who == f"token-{digest[:8]}"
    assert AdminToken(token=LONG).digest == digest


def test_secrets_are_not_shown(env):
    settings = env(
        ADMIN_TOKEN=LONG,
        SECRET_KEY=f"k1:{LONG}",
        APP_SECRET=f"app-{LONG}",
        ADMIN_TOKENS=f'[{{"token": "listed-{LONG}"}}]',
        ADAPTER_APP_SETTINGS=f'{{"demo": {{"webhook_path_secret": "hook-{LONG}"}}}}',
    )
    assert LONG not in repr(settings)
    told = set(settings.secrets())
    assert told == {LONG, f"app-{LONG}", f"listed-{LONG}", f"hook-{LONG}"}


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("STORE_URL", "postgres://db", "sqlite:///"),
        ("BROKER_URL", "amqp:mq", "amqp://"),
        ("BROKER_URL", "redis://mq", "memory://"),
        ("PUBLIC_URL", "hub.example", "https://hub.example.com"),
        ("PUBLIC_URL", "https://u:p@hub.example", "https://hub.example.com"),
        ("PUBLIC_URL", "https://hub.example?x=1", "without query"),
        ("BIND", "8080", "host:port"),
        ("BIND", "127.0.0.1:99999", "host:port"),
        ("ADMIN_TOKEN", "short", "16"),
        ("ADMIN_TOKENS", "nope", "JSON"),
        ("ADMIN_TOKENS", "[{}]", "token_sha256"),
        ("ADMIN_TOKENS", '[{"token": "0123456789abcdef", "role": "root"}]', "admin"),
        ("ADMIN_TOKENS", '[{"token": "0123456789abcdef", "rolle": "admin"}]', "rolle"),
        ("ADMIN_TOKENS", '[{"token_sha256": "abc"}]', "token_sha256"),
        ("APP_SECRET", "short", "16"),
        ("ADAPTER_APP_SETTINGS", "{", "JSON"),
        ("ADAPTER_APP_SETTINGS", '{"demo": 1}', "demo"),
        ("TIME_SCALE", "0", "greater than 0"),
        ("CLOCK_EPOCH", "2026-01-01T00:00:00", "timezone"),
        ("LOG_LEVEL", "LOUD", "INFO"),
        ("CONCURRENCY", "0", "1"),
        ("LIMITS", "perhaps", "boolean"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_write(env, name, value, word):
    with pytest.raises(SettingsError, match=f"CONNECTOR_{name}") as caught:
        env(**{name: value})
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_told_at_once_and_no_value(env):
    with pytest.raises(SettingsError) as caught:
        env(BIND="x", ADMIN_TOKEN="s3cr3t", BATCH="-1")
    for name in ("BIND", "ADMIN_TOKEN", "BATCH"):
        assert f"CONNECTOR_{name}" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"BIND": "127.0.0.1:8081"}, "are the same"),
        ({"ADMIN_TOKEN": LONG, "ADMIN_TOKENS": f'[{{"token": "{LONG}"}}]'}, "two tokens"),
        ({"ADAPTER_APP_SETTINGS": '{"demo": {"webhook_path_secret": "short"}}'}, "16 characters"),
        ({"ADAPTER_APP_SETTINGS": '{"demo": {"webhook_path_secret": 5}}'}, "16 characters"),
    ],
)
def test_what_cannot_serve_is_refused(env, values, word):
    with pytest.raises(SettingsError, match=word):
        env(**values).require_serve()


def test_what_an_operator_should_know_is_told(env):
    plain = " ".join(load_settings().require_serve())
    assert "CONNECTOR_PUBLIC_URL is not set" in plain
    assert "CONNECTOR_ADMIN_TOKEN is not set" in plain
    odd = env(PUBLIC_URL="http://hub.example", TIME_SCALE="60", LIMITS="no", ADMIN_TOKEN=LONG)
    told = " ".join(odd.require_serve())
    for word in ("plain http", "CONNECTOR_CLOCK_EPOCH", "CONNECTOR_LIMITS"):
        assert word in told
    assert env(PUBLIC_URL="https://hub.example/base/").public_url == "https://hub.example/base"
    good = env(PUBLIC_URL="https://hub.example", TIME_SCALE="1", LIMITS="yes", ADMIN_TOKEN=LONG)
    assert good.require_serve() == []


def test_misspelt_variables_are_noticed():
    names = {"CONNECTOR_BATCH": "1", "connector_btach": "1", "PATH": "x"}
    assert unknown_names(names) == ["CONNECTOR_BTACH"]


def test_addresses_may_be_ipv6():
    assert host_port("[::1]:80") == ("::1", 80)
    assert host_port("0.0.0.0:8080") == ("0.0.0.0", 8080)


def test_the_reference_names_every_setting():
    text = reference_markdown()
    for name, field in Settings.model_fields.items():
        assert f"`CONNECTOR_{name.upper()}`" in text
        assert field.description
    assert text.endswith("\n")


def test_what_the_urls_name_decides_how_the_hub_runs():
    embedded = Settings()
    assert embedded.embedded
    assert not embedded.shared
    grown = Settings(
        store_url="mongodb://hub:p%40ss-word@db1,db2/connector?replicaSet=rs0",
        broker_url="amqps://hub:other-secret@mq/hub",
    )
    assert not grown.embedded
    assert grown.shared
    assert {"p%40ss-word", "p@ss-word", "other-secret"} <= set(grown.secrets())
    assert "p%40ss" not in repr(grown)
    assert "other-secret" not in repr(grown)
