"""Every way a request can end other than well, told alike wherever it happens."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from typing import Any

import structlog
from aiohttp import web

from connector.flows.callbacks import Undecided
from connector.flows.intake import NotYours
from connector.ports import Conflict, StoreUnavailable
from connector.sdk import BadWebhook
from connector.vtex.inbound import BadBody

_log = structlog.get_logger(__name__)

# Our own name instead of aiohttp's and Python's versions.
HEADERS = {"Content-Type": "application/json; charset=utf-8", "Server": "connector"}
RETRY = {"Retry-After": "5"}


class Refused(Exception):
    """Nobody is told why: what is missing and what is forbidden look the same."""


class Answer(Exception):
    """The request ends here, with this status and message."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
        self.close = close
        """The rest of the body is not worth waiting for."""


def reply(payload: Any, status: int = 200) -> web.Response:
    """An answer with a JSON body."""
    body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
    return web.Response(body=body, status=status, headers=HEADERS)


def problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer in the shape VTEX itself uses for errors (protocol 1.6)."""
    body = json.dumps({"error": {"code": "1", "message": message, "exception": None}}).encode()
    return web.Response(body=body, status=status, headers={**HEADERS, **(headers or {})})


def refusal() -> web.Response:
    """The one answer to everybody who has no business here."""
    return problem(404, "not found")


def answer_to(error: Exception) -> web.Response:
    """What a caller is told about an error; anything unexpected is told without its words."""
    match error:
        case Refused() | NotYours():
            return refusal()
        case Answer():
            answer = problem(error.status, error.message, error.headers)
            if error.close:
                answer.force_close()
            return answer
        case BadBody():
            return problem(400, str(error))
        case BadWebhook():
            return problem(401, "this is not the marketplace's webhook, or it cannot be read")
        case StoreUnavailable() | Conflict():
            return problem(503, "this cannot be saved now: try again", RETRY)
        case Undecided():
            return problem(503, "this cannot be decided now: try again", RETRY)
        case _:
            return problem(500, "the hub made a mistake: try again", RETRY)


def log_failure(error: Exception, route: str, status: int, seconds: float) -> None:
    """One event per failed request: where and how long, never what was in it."""
    told = {"route": route, "status": status, "ms": round(seconds * 1000)}
    if status == 500:
        # Frames only: the message of an error may quote a body.
        where = "".join(traceback.format_tb(error.__traceback__))
        _log.error("request_broke", **told, error=type(error).__name__, where=where)
    elif status >= 500:
        _log.warning("request_failed", **told, error=type(error).__name__)
    elif status == 404:
        _log.debug("request_refused", **told)  # scanners come by all the time
    else:
        _log.info("request_refused", **told, error=type(error).__name__)
