import io
import json
import logging

import pytest
import structlog

from connector.drivers.logs import MASK, Redactor, configure


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail ana.silva+x@loja.com.br now", f"mail {MASK} now"),
        ("cpf 123.456.789-09", f"cpf {MASK}"),
        ("cnpj 12.345.678/0001-90", f"cnpj {MASK}"),
        ("card 4111 1111 1111 1111 used", f"card {MASK} used"),
        ("card 4111-1111-1111-1111", f"card {MASK}"),
        ("phone +5511987654321", f"phone {MASK}"),
        ("cpf 12345678909.", f"cpf {MASK}."),
        ("https://api.x.com/a?token=abc&x=1 failed", f"https://api.x.com/a?{MASK} failed"),
        ("https://user:pass@api.x.com/a", f"https://{MASK}@api.x.com/a"),
        ("POST /notify/Zk3vR9qLw2Xp8TnBc5Yd/x", f"POST /notify/{MASK}/x"),
        (
            "https://hub.io/n/0123456789abcdef0123456789abcdef",
            f"https://hub.io/n/{MASK}",
        ),
    ],
)
def test_what_is_masked(text, masked):
    assert Redactor().text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "sku 12345678 sent",
        "took 0.123456789 s",
        "2026-03-01T12:00:00.123456Z",
        "connection shop.BCD.demo",
        "/api/catalog/pvt/stockkeepingunit/12345",
        "HTTP 503 after 3 tries of 12",
        "version 1.2.3",
    ],
)
def test_what_is_left_alone(text):
    assert Redactor().text(text) == text


def test_secrets_are_masked_longest_first():
    redactor = Redactor(["secret-token", "secret-token-longer", "abc"])
    assert redactor.text("x secret-token-longer y secret-token z abc") == f"x {MASK} y {MASK} z abc"
    assert redactor.text("later-one") == "later-one"
    redactor.learn("later-one", "a.*+(regex")
    assert redactor.text("later-one a.*+(regex") == f"{MASK} {MASK}"


def test_values_of_all_shapes():
    redactor = Redactor(["secret-token"])
    value = redactor.value(
        {
            "a": ["secret-token", 5, None, True, 1.5],
            "b": {"secret-token": ("x@y.zz", {"c"})},
            "d": ValueError("secret-token"),
            "e": b"secret-token",
            "order": "1234567890123-01",
            "phone": "1234567890123",
        }
    )
    assert value == {
        "a": [MASK, 5, None, True, 1.5],
        "b": {MASK: [MASK, ["c"]]},
        "d": MASK,
        "e": f"b'{MASK}'",
        "order": "1234567890123-01",
        "phone": MASK,
    }


@pytest.fixture
def output():
    """Configured logging; everything is put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_lines_are_json_and_masked(output):
    redactor = Redactor(["secret-token"])
    configure(redactor, stream=output)
    log = structlog.get_logger("hub")
    log.info("said secret-token", sku="123456789012", text="x@y.zz", number=12, who={"a": "b"})
    log.debug("not shown")
    (line,) = lines(output)
    assert line.pop("timestamp")
    assert line == {
        "event": f"said {MASK}",
        "sku": "123456789012",
        "text": MASK,
        "number": 12,
        "who": {"a": "b"},
        "level": "info",
        "logger": "hub",
    }


def test_the_standard_library_goes_the_same_way(output):
    configure(Redactor(["secret-token"]), stream=output)
    logging.getLogger("aiohttp.server").warning("got %s", "secret-token", extra={"peer": "x@y.zz"})
    logging.getLogger("aiohttp.access").info("GET /n/secret-token")
    (line,) = lines(output)
    assert (line["event"], line["peer"], line["logger"]) == (f"got {MASK}", MASK, "aiohttp.server")


def test_tracebacks_are_masked(output):
    configure(Redactor(["secret-token"]), stream=output)
    log = structlog.get_logger("hub")
    for write in (log.exception, logging.getLogger("lib").exception):
        try:
            int("secret-token is wrong, says x@y.zz")
        except ValueError:
            write("failed")
    first, second = lines(output)
    for line in (first, second):
        assert "ValueError" in str(line["exception"])
        assert "secret-token" not in str(line)
        assert "x@y.zz" not in str(line)


def test_level_context_and_plain_lines(output):
    configure(Redactor(), level="warning", stream=output, json=False)
    log = structlog.get_logger("hub")
    with structlog.contextvars.bound_contextvars(connection="shop.BCD.demo"):
        log.info("quiet")
        log.warning("loud")
    assert "quiet" not in output.getvalue()
    assert "loud" in output.getvalue()
    assert "shop.BCD.demo" in output.getvalue()
