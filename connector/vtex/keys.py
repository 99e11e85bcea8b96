"""Whether VTEX accepts the key pair."""

from __future__ import annotations

from connector.domain.http import Request
from connector.vtex.errors import Denied, Refused
from connector.vtex.session import Session
from connector.vtex.wire import as_map, as_text


async def validate_keys(session: Session) -> bool:
    """Whether the application key and token are a valid pair (protocol 1.2)."""
    request = Request(
        "GET",
        "/api/vtexid/pub/authenticate/default",
        query={"an": session.account, "user": session.app_key, "pass": session.app_token},
        operation="vtex.validate-keys",
    )
    try:
        response = await session.call(request, public=True)
    except (Denied, Refused):
        return False
    status = as_map(response.json()).get("authStatus")
    return as_text(status).lower() == "success"
