import asyncio
import time

import pytest

from connector.drivers.memory_broker import MemoryBroker
from connector.drivers.virtual_time import START, Stuck, VirtualClock, run_virtual


def test_a_year_passes_in_a_moment():
    clock = VirtualClock()

    async def main() -> str:
        for _ in range(365):
            await clock.sleep(86_400)
        return "done"

    began = time.monotonic()
    assert run_virtual(main()) == "done"
    assert (clock.now() - START).days == 365
    assert time.monotonic() - began < 5


def test_timers_go_off_in_order():
    told: list[tuple[str, float]] = []

    async def one(name: str, *waits: float) -> None:
        for wait in waits:
            await asyncio.sleep(wait)
            told.append((name, asyncio.get_running_loop().time()))

    async def main() -> None:
        await asyncio.gather(one("a", 3, 3), one("b", 1, 1, 2), one("c", 0.1))

    run_virtual(main())
    assert [name for name, _ in told] == ["c", "b", "b", "a", "b", "a"]
    assert told[-1] == ("a", 6)


def test_runs_repeat():
    def run() -> list[tuple[int, float]]:
        told: list[tuple[int, float]] = []

        async def worker(number: int, queue: asyncio.Queue[int]) -> None:
            while True:
                item = await queue.get()
                await asyncio.sleep(0.1 * (item % 7))
                told.append((number, asyncio.get_running_loop().time()))
                queue.task_done()

        async def main() -> None:
            queue: asyncio.Queue[int] = asyncio.Queue()
            workers = [asyncio.create_task(worker(n, queue)) for n in range(5)]
            for item in range(200):
                queue.put_nowait(item)
            await queue.join()
            for task in workers:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

        run_virtual(main())
        return told

    assert run() == run()


def test_timeouts_are_virtual():
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1000):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 1000


def test_tiny_waits_late_in_time_come_to_an_end():
    async def main() -> None:
        await asyncio.sleep(1e9)
        for _ in range(10):
            await asyncio.sleep(1e-9)

    run_virtual(main())


def test_a_deadlock_is_told():
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        run_virtual(main())


def test_failures_and_cancellations_come_through():
    async def fail() -> None:
        await asyncio.sleep(1)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run_virtual(fail())

    async def cancel() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    with pytest.raises(asyncio.CancelledError):
        run_virtual(cancel())


def test_threads_are_refused():
    async def main() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(RuntimeError, match="threads"):
        run_virtual(main())


def test_the_clock_outside_of_a_loop():
    clock = VirtualClock()
    assert clock.now() == START
    assert clock.wall(5).total_seconds() == 5

    async def main() -> None:
        await clock.sleep(5)
        await clock.sleep(-1)
        clock.now()

    run_virtual(main())
    assert (clock.now() - START).total_seconds() == 5


def test_the_broker_drains_in_virtual_time():
    async def main() -> float:
        from tests.contract.broker_contract import LISTINGS, turn

        broker = MemoryBroker()

        async def handler(_: object) -> None:
            await asyncio.sleep(3600)

        consuming = asyncio.create_task(broker.consume([LISTINGS], handler, workers=2))
        await broker.ring(turn())
        await asyncio.sleep(1)
        await broker.close(drain_s=10_000)
        await consuming
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 3600
