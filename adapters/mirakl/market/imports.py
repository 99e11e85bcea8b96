"""The life of imports in the simulated platform: waiting, running, done or failed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from adapters.mirakl.market.base import Platform, problem
from adapters.mirakl.market.forms import csv_of_rows
from adapters.mirakl.market.state import SimImport, stamp
from connector.sdk import Request, Response, json_response

_LATE = 5
Row = dict[str, Any]
Apply = Callable[[SimImport, int, Row], None]
"""Does what one line of a file asks for, or writes down why not."""


class ImportSide(Platform):
    """Takes files in and settles them when their time has come."""

    def __init__(self, **everything: Any) -> None:
        super().__init__(**everything)
        self.imports: dict[str, SimImport] = {}
        self.refusals: dict[str, str] = {}
        """Reasons by SKU for which lines are refused."""
        self._open: list[SimImport] = []

    async def handle(self, request: Request) -> Response:
        """Answer one request, after whatever has become due."""
        self.settle()
        return await super().handle(request)

    def take_in(self, kind: str, rows: list[Row], body: bytes) -> SimImport:
        """Start an import; one that is just under way with the same content is answered again."""
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        last = next((one for one in reversed(self._open) if one.kind == kind), None)
        if last is not None and last.digest == digest:
            self.record("import.duplicate", import_id=last.number, import_kind=kind)
            return last
        number = self._number(kind, digest)
        made = self._scheduled(kind, number, rows, digest)
        self.imports[f"{kind}:{number}"] = made
        self._open.append(made)
        self.record("import.opened", import_kind=kind, import_id=number, lines=len(rows))
        return made

    def _number(self, kind: str, digest: str) -> str:
        number = self.next_number("import")
        if kind in ("STO01", "PRI01"):  # these are UUIDs, the others numbers
            return str(UUID(f"{number:012x}{digest[:20]}"))
        return str(number)

    def _scheduled(self, kind: str, number: str, rows: list[Row], digest: str) -> SimImport:
        settings, now = self.settings, self.now()
        slow = _LATE if settings.mode == "late" or self.chance(settings.import_late) else 1
        waits = settings.import_wait_s * slow
        runs = settings.import_run_s * slow
        sent = None
        if kind == "P41":
            sent = now + timedelta(seconds=settings.product_sent_after_s * slow)
            runs = settings.product_done_after_s * slow - waits
        running, done = now + timedelta(seconds=waits), now + timedelta(seconds=waits + runs)
        before = [one.done_at for one in self._open if one.kind == kind and one.done_at]
        if before and max(before) > done:  # files of a kind are done in the order they came
            done = max(before)
        halves = settings.mode == "partly"
        return SimImport(
            kind=kind,
            number=number,
            created_at=now,
            rows=rows,
            digest=digest,
            running_at=running,
            done_at=None if settings.mode == "never" else done + (done - now) * halves,
            sent_at=None if settings.mode == "never" else sent,
            failed=settings.mode == "fail" or self.chance(settings.import_failure),
            split_at=done if halves else None,
        )

    def settle(self) -> None:
        """Do what is due, in the order in which it became so."""
        now = self.now()
        for one in list(self._open):
            if one.split_at is not None and one.split_at <= now and not one.failed:
                self._apply_until(one, (len(one.rows) + 1) // 2)
        due = [one for one in self._open if one.done_at is not None and one.done_at <= now]
        for one in sorted(due, key=lambda each: each.done_at or now):
            if not one.failed:
                self._apply_until(one, len(one.rows))
            one.finished = True
            self._open.remove(one)
            self.record(
                "import.done", import_kind=one.kind, import_id=one.number, errors=len(one.errors)
            )

    def _apply_until(self, one: SimImport, end: int) -> None:
        apply = self.lines_of(one.kind)
        for place in range(one.settled, end):
            row = one.rows[place]
            why = self.refusals.get(self.sku_of(row))
            if why:
                one.errors.append((place + 2, row, why))
            else:
                apply(one, place + 2, row)
        one.settled = max(one.settled, end)

    def lines_of(self, kind: str) -> Apply:
        """What a line of such a file does."""
        raise NotImplementedError

    @staticmethod
    def sku_of(row: Row) -> str:
        """The seller's SKU that a line is about."""
        names = ("shop_sku", "offer-sku")
        return str(next((row[name] for name in names if row.get(name)), ""))

    # --- for the routes ---------------------------------------------------------------------------

    def known_import(self, kind: str, number: str) -> SimImport | Response:
        """An import by its id."""
        found = self.imports.get(f"{kind}:{number}")
        return found or problem(404, f"Import {number} not found")

    def state_of(self, one: SimImport) -> str:
        """The state of an import of offers, stock or prices."""
        now = self.now()
        if one.finished:
            return "FAILED" if one.failed else "COMPLETE"
        return "RUNNING" if one.running_at is not None and one.running_at <= now else "WAITING"

    def status_to_wire(self, one: SimImport) -> Row:
        """What all imports of offers tell."""
        done = one.finished and not one.failed
        return {
            "date_created": stamp(one.created_at),
            "has_error_report": done and bool(one.errors),
            "lines_in_error": len(one.errors) if done else 0,
            "lines_in_success": len(one.rows) - len(one.errors) if done else 0,
            "status": self.state_of(one),
            "reason_status": "The file could not be processed" if one.failed else None,
        }

    def report(
        self, errors: Sequence[tuple[int, Row, str]], *, first: bool, kind: str = "text/csv"
    ) -> Response:
        """An error report: line and reason come before the columns, or after them."""
        header = list(dict.fromkeys(name for _, row, _ in errors for name in row))
        titles = ["line", "reason"] if first else ["error-line", "error-message"]
        rows = []
        for line, row, why in errors:
            told = [_text(row.get(name)) for name in header]
            rows.append([str(line), why, *told] if first else [*told, str(line), why])
        header = [*titles, *header] if first else [*header, *titles]
        return Response(200, {"content-type": kind}, csv_of_rows(header, rows))


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value)


def created(one: SimImport) -> Response:
    """The answer to an import; numbers are numbers, UUIDs are text."""
    number = int(one.number) if one.number.isdecimal() else one.number
    return json_response({"import_id": number}, 201)
