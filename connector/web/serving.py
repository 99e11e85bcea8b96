"""aiohttp's servers, made not to repeat what strangers send."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web

from connector.web.errors import problem

_log = structlog.get_logger(__name__)

KEEP_ALIVE_S = 75.0
"""Longer than proxies keep an idle connection, so that they close first."""
LINGER_S = 2.0
"""How long the rest of a refused body is read, so that its sender sees the answer."""

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class _Protocol(web.RequestHandler):
    """Answers what is no HTTP without quoting it: a request line carries a secret."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer an unreadable request; the connection is closed after it."""
        del message
        _log.info("request_unreadable", status=int(status), error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        answer = problem(status, "the request cannot be read")
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Tell what broke the connection, without its words."""
        error = kw.get("exc_info")
        _log.error("connection_broke", what=str(args[0]), error=type(error).__name__)


class PublicServer(web.Server):
    """What was taken is finished, even when nobody waits for the answer any more."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer, handler_cancellation=False)

    def __call__(self) -> web.RequestHandler:
        """The protocol of one connection."""
        return _Protocol(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # aiohttp's own way to switch it off
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
        )


def quiet_logger() -> logging.Logger:
    """A logger for aiohttp's application server: events without what they quote."""
    logger = logging.getLogger("connector.web.protocol")
    if not logger.filters:
        logger.addFilter(_without_quotes)
    return logger


def _without_quotes(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True
