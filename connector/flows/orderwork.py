"""One order while it is being worked on: each intent is saved, so that a crash loses nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connector.domain.connection import Connection
from connector.domain.entries import Direction, Entry, Operation, Status
from connector.domain.order import Order
from connector.domain.order_facts import Told
from connector.domain.pending import Claim
from connector.domain.personal import without_personal
from connector.flows.documents import ORDER, Saved, put_order
from connector.flows.hub import Hub, Peers
from connector.ports import Drop, Write


@dataclass
class OrderWork:
    """A claimed order with everything needed to move it on."""

    hub: Hub
    connection: Connection
    peers: Peers
    claim: Claim
    saved: Saved[Order]
    order: Order
    facts: list[Told] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    """Entries, holds and marks that go along with the next save."""
    forgotten: bool = False
    """The key stands for another order: its document is dropped, not saved."""

    def update(self, **fields: Any) -> None:
        """Know something new about the order."""
        self.order = self.order.model_copy(update=fields)

    async def save(self) -> None:
        """Save the order as it is now, with everything told so far, in one commit.

        Raises:
            Conflict: somebody else saved it meanwhile.
        """
        writes = self.pending_writes()
        if not writes:
            return
        await self.hub.store.commit(writes)
        self.committed()

    async def pass_on(self) -> None:
        """Save at once what others read, units kept from being sold above all.

        Where there is nothing of the kind the order goes along with its next save.

        Raises:
            Conflict: somebody else saved it meanwhile.
        """
        if self.writes:
            await self.save()

    def pending_writes(self) -> list[Write]:
        """What a save would write."""
        if self.forgotten:
            return [Drop(ORDER, self.order.connection, self.order.ref), *self.writes]
        changed = self.order != self.saved.value or self.saved.version == 0
        return [*([put_order(self.saved, self.order)] if changed else []), *self.writes]

    def committed(self) -> None:
        """The pending writes are in the ledger."""
        changed = self.order != self.saved.value or self.saved.version == 0
        self.saved = Saved(self.order, self.saved.version + (1 if changed else 0))
        self.writes.clear()

    def tell(
        self,
        message: str,
        *,
        code: str = "",
        status: Status = Status.SUCCESS,
        operation: Operation = Operation.ORDER_STATUS_UPDATE,
        direction: Direction = Direction.TO_VTEX,
        once: str = "",
    ) -> None:
        """Write a log entry; ``once`` names what is told at most one time per order."""
        if once and once in self.order.told:
            return
        if once:
            self.update(told=(*self.order.told, once))
        self.writes.append(
            Entry(
                connection=self.connection.id,
                at=self.hub.now(),
                subject=self.order.ref,
                operation=operation,
                direction=direction,
                status=status,
                code=code,
                message=without_personal(message, self.order.market),
                translated=self.order.vtex_order_id,
            )
        )
