"""Logs: one JSON object per line, with secrets and personal data masked whoever wrote it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

MASK = "***"
_MIN_SECRET = 6
"""Shorter values would mask half of every line."""
_KEYS = frozenset({"order", "sku", "subject", "key", "lot", "reference"})
"""Fields whose digits are a name that operators search by, not somebody's number."""

_QUERY = re.compile(r"(https?://[^\s\"'?]+)\?[^\s\"']*", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^\s/@\"']+@")
_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_TAX_ID = re.compile(r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b|\b\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}\b")
_DIGITS = re.compile(r"(?<![\w.])\+?\d(?:[ -]?\d){8,}(?![\w])")
# A path segment that long, with both letters and digits, is a secret or might as well be one.
_SEGMENT = re.compile(r"(?<=/)(?=[^/\s]*\d)(?=[^/\s]*[A-Za-z])[A-Za-z0-9_~.-]{20,}(?=[/?\s\"']|$)")


class Redactor:
    """Masks what must not get into a log; ``learn`` the values of secrets as they are read."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.learn(*secrets)

    def learn(self, *secrets: str) -> None:
        """Mask these values from now on."""
        self._secrets.update(secret for secret in secrets if len(secret) >= _MIN_SECRET)
        if self._secrets:
            # Longest first: a secret that begins with another one is masked as a whole.
            ordered = sorted(self._secrets, key=lambda secret: (-len(secret), secret))
            self._pattern = re.compile("|".join(map(re.escape, ordered)))

    def text(self, text: str, *, digits: bool = True) -> str:
        """Mask one text; ``digits`` False leaves long numbers alone."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        text = _QUERY.sub(rf"\1?{MASK}", text)
        text = _USERINFO.sub(f"{MASK}@", text)
        text = _EMAIL.sub(MASK, text)
        text = _SEGMENT.sub(MASK, text)
        if digits:
            text = _TAX_ID.sub(MASK, text)
            text = _DIGITS.sub(MASK, text)
        return text

    def value(self, value: Any, *, digits: bool = True) -> Any:
        """Mask every text in a value; objects are turned into text first."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return {
                self.text(str(name)): self.value(part, digits=digits and name not in _KEYS)
                for name, part in value.items()
            }
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(part, digits=digits) for part in value]
        return self.text(str(value), digits=digits)

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Mask an event, as a structlog processor."""
        return {
            name: part if name == "timestamp" else self.value(part, digits=name not in _KEYS)
            for name, part in event.items()
        }


def configure(
    redactor: Redactor, *, level: str = "INFO", stream: TextIO | None = None, json: bool = True
) -> None:
    """Send structlog and the standard library's logging to ``stream`` (stderr), masked."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # before masking: tracebacks quote values
                redactor,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Access lines carry whole URLs; the hub counts requests itself.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
