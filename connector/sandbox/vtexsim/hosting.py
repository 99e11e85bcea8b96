"""Several simulated accounts behind one address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connector.domain.http import json_response
from connector.sandbox.vtexsim.core import query

if TYPE_CHECKING:
    from connector.domain.http import Request, Response
    from connector.sandbox.vtexsim.simulator import VtexSimulator

_KEY = re.compile(r"^vtexappkey-(.+)-[^-]+$")


class VtexHost:
    """Finds the account a call is for: by ``an``, by the app key, or the first one."""

    def __init__(self, *simulators: VtexSimulator) -> None:
        self.accounts = {each.settings.account: each for each in simulators}

    async def handle(self, request: Request) -> Response:
        """Answer one request in the name of its account.

        Raises:
            Dropped: the connection is to be closed without an answer.
        """
        simulator = self._find(request)
        if simulator is None:
            return json_response({"message": "no such account"}, 404)
        return await simulator.handle(request)

    async def close(self) -> None:
        """Stop the background work of all accounts."""
        for simulator in self.accounts.values():
            await simulator.close()

    def _find(self, request: Request) -> VtexSimulator | None:
        if account := query(request, "an"):
            return self.accounts.get(account)
        for name, value in request.headers.items():
            if name.lower() == "x-vtex-api-appkey" and (match := _KEY.match(value)):
                return self.accounts.get(match[1])
        return next(iter(self.accounts.values()), None)
