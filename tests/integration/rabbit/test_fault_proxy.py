"""The proxy does what its tests of others rely on."""

import asyncio
import contextlib

import pytest

from tests.servers.proxy import FaultProxy, Faults


@pytest.fixture
async def echo():
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with FaultProxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()
    await server.wait_closed()


@pytest.fixture
async def dial(echo):
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", echo.port)
        writers.append(writer)
        return reader, writer

    yield connect
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def timed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> float:
    """How long an echo takes."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    writer.write(data)
    assert await reader.readexactly(len(data)) == data
    return loop.time() - began


async def silent(reader: asyncio.StreamReader, *, for_s: float = 0.1) -> bool:
    try:
        async with asyncio.timeout(for_s):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def test_nothing_happens_without_faults(dial):
    reader, writer = await dial()
    assert await timed(reader, writer, bytes(range(256)) * 4000) < 5
    writer.write_eof()
    assert await reader.read() == b""


@pytest.mark.parametrize(
    ("faults", "size", "at_least_s"),
    [
        (Faults(latency_s=0.1), 1, 0.2),
        (Faults(latency_s=0.05, jitter_s=0.05), 1, 0.1),
        (Faults(bandwidth=10_000), 1_000, 0.2),
        (Faults(slice_bytes=10, slice_pause_s=0.01), 100, 0.08),
    ],
)
async def test_bytes_come_late_but_whole(dial, echo, faults, size, at_least_s):
    echo.faults = faults
    assert await timed(*await dial(), b"x" * size) >= at_least_s
    echo.heal()
    assert await timed(*await dial(), b"x" * size) < 5


async def test_a_blackhole_swallows(dial, echo):
    reader, writer = await dial()
    await timed(reader, writer, b"before")
    echo.faults = Faults(blackhole=True)
    writer.write(b"lost")
    assert await silent(reader)
    echo.heal()
    await timed(reader, writer, b"after")


async def test_a_blackhole_may_end(dial, echo):
    echo.faults = Faults(blackhole=True, timeout_s=0.05)
    reader, writer = await dial()
    writer.write(b"lost")
    assert await reader.read() == b""


async def test_data_is_limited(dial, echo):
    echo.faults = Faults(limit_bytes=10)
    reader, writer = await dial()
    writer.write(b"x" * 20)
    assert len(await reader.read()) in {0, 20}


async def test_resets_are_resets(dial, echo):
    reader, writer = await dial()
    await timed(reader, writer, b"x")
    await echo.reset()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    assert not echo.open


async def test_down_refuses_and_up_serves_the_same_port(dial, echo):
    reader, writer = await dial()
    await timed(reader, writer, b"x")
    await echo.down()
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    with pytest.raises(ConnectionRefusedError):
        await dial()
    await echo.up()
    await timed(*await dial(), b"x")


async def test_half_closed_hears_nothing_and_may_speak(dial, echo):
    reader, writer = await dial()
    await timed(reader, writer, b"x")
    await echo.half_close()
    assert await reader.read() == b""
    writer.write(b"still taken")
    await writer.drain()
    assert echo.open == 1


async def test_a_lost_server_is_not_told_of(dial, echo):
    reader, writer = await dial()
    await timed(reader, writer, b"x")
    await echo.lose_server()
    assert await silent(reader)


async def test_an_end_may_come_late(dial, echo):
    reader, writer = await dial()
    await timed(reader, writer, b"x")
    echo.faults = Faults(slow_close_s=0.1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    writer.write_eof()
    assert await reader.read() == b""
    assert loop.time() - began >= 0.2
