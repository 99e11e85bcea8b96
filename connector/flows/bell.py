"""Ask for turns without keeping anybody waiting."""

from __future__ import annotations

import asyncio

from connector.ports import Broker, Turn


class Bell:
    """Collects turns that were asked for and passes them to the broker, each once per round.

    A turn that is lost on the way (a crash, a broker that is away) is asked for again by the
    sweeper: the ledger knows what is due.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._wanted: dict[Turn, bool] = {}
        """Whether all who asked for it only repeated themselves."""
        self._task: asyncio.Task[None] | None = None

    def ring(self, turn: Turn, *, repeated: bool = False) -> None:
        """Ask for a turn, soon; ``repeated`` as in ``ports.Broker``."""
        self._wanted[turn] = repeated and self._wanted.get(turn, True)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._pass_on())

    async def _pass_on(self) -> None:
        while self._wanted:
            turn, repeated = next(iter(self._wanted.items()))
            del self._wanted[turn]
            await self._broker.ring(turn, repeated=repeated)

    async def close(self) -> None:
        """Pass on what was asked for so far."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
