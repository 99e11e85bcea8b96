"""What a demo shows while it runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic

from rich.console import Console
from rich.live import Live
from rich.table import Table

_LIVE_S = 0.25
_LINES_S = 5.0

Numbers = Callable[[], dict[str, str]]


@dataclass
class Progress:
    """Tells how far the demo is."""

    console: Console
    numbers: Numbers
    phase: str = "starting"
    _began: float = 0.0

    def enter(self, phase: str) -> None:
        """Begin another phase."""
        self.phase = phase
        if not self.console.is_terminal:
            self._line(phase)

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Show it while the block runs."""
        self._began = monotonic()
        task = asyncio.create_task(self._live() if self.console.is_terminal else self._lines())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _live(self) -> None:
        with Live(console=self.console, refresh_per_second=8, transient=True) as live:
            while True:
                live.update(self._table())
                await asyncio.sleep(_LIVE_S)

    async def _lines(self) -> None:
        while True:
            await asyncio.sleep(_LINES_S)
            told = ", ".join(f"{name} {value}" for name, value in self.numbers().items())
            self._line(told)

    def _table(self) -> Table:
        table = Table(title=f"connector demo: {self.phase} ({self._seconds()})", show_header=False)
        table.add_column(style="cyan", min_width=24)
        table.add_column(justify="right", min_width=12)
        for name, value in self.numbers().items():
            table.add_row(name, value)
        return table

    def _line(self, text: str) -> None:
        line = f"[{self._seconds()}] {text}"
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _seconds(self) -> str:
        return f"{monotonic() - self._began:5.1f} s"
