import asyncio

from connector.domain.pending import Context
from connector.flows.bell import Bell
from connector.ports import Turn


def turn(name: str) -> Turn:
    return Turn(name, Context.LISTINGS, "demo")


class Heard:
    """A broker that only listens."""

    def __init__(self) -> None:
        self.rings: list[tuple[str, bool]] = []

    async def ring(self, turn: Turn, *, repeated: bool = False) -> None:
        self.rings.append((turn.connection, repeated))


async def heard(*asked: tuple[str, bool]) -> list[tuple[str, bool]]:
    broker = Heard()
    bell = Bell(broker)
    for name, repeated in asked:
        bell.ring(turn(name), repeated=repeated)
    await bell.close()
    return broker.rings


def test_each_turn_is_passed_on_once():
    rings = asyncio.run(heard(("a", False), ("b", False), ("a", False)))
    assert rings == [("a", False), ("b", False)]


def test_what_is_news_to_one_is_no_repetition():
    asked = [("a", True), ("b", True), ("a", False), ("c", False), ("c", True)]
    assert asyncio.run(heard(*asked)) == [("a", False), ("b", True), ("c", False)]
