"""The hub as a process: starting, stopping, and refusing to start in one clear line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from connector.bootstrap import Process, StartError, key_file, open_hub, vault_keys
from connector.domain.connection import Purpose
from connector.domain.pending import Context
from connector.drivers.vault import generate_key
from connector.flows.connections import add
from connector.flows.secrets import reveal
from connector.settings import Settings
from tests.integration.web.support import spec

ROOT = Path(__file__).parents[3]
MAIN = (
    "import asyncio, sys\n"
    "from connector.bootstrap import serve\n"
    "from connector.settings import load_settings\n"
    "sys.exit(asyncio.run(serve(load_settings(), role=sys.argv[1])))\n"
)


def settings(tmp_path, **changes):
    values = {
        "store_url": f"sqlite:///{tmp_path}/hub.db",
        "bind": "127.0.0.1:0",
        "admin_bind": "127.0.0.1:0",
        "secret_key": generate_key(),
    }
    return Settings(_env_file=None, **values | changes)


class Running:
    """A hub in a process of its own."""

    def __init__(self, process):
        self.process = process
        self.events = []

    @classmethod
    async def start(cls, tmp_path, role="all", **environment):
        clean = {name: v for name, v in os.environ.items() if not name.startswith("CONNECTOR_")}
        values = {
            "STORE_URL": f"sqlite:///{tmp_path}/hub.db",
            "BIND": "127.0.0.1:0",
            "ADMIN_BIND": "127.0.0.1:0",
            **environment,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            MAIN,
            role,
            cwd=tmp_path,
            stderr=asyncio.subprocess.PIPE,
            env={**clean, "PYTHONPATH": str(ROOT)}
            | {f"CONNECTOR_{name}": value for name, value in values.items()},
        )
        return cls(process)

    async def ready(self):
        async with asyncio.timeout(20):
            async for line in self.process.stderr:
                self.events.append(json.loads(line))
                if self.events[-1]["event"] == "ready":
                    return self.events[-1]
        raise AssertionError(self.events)

    async def stop(self):
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            rest = await self.process.stderr.read()
            return await self.process.wait(), rest.decode()


async def get(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split()[1]), answer


async def test_it_starts_answers_probes_and_stops_in_order(tmp_path):
    hub = await Running.start(tmp_path, ADMIN_TOKEN="a-token-of-20-letters")
    urls = await hub.ready()
    port = int(urls["admin"].rpartition(":")[2])
    assert (await get(port, "/ready"))[0] == 200
    assert "hub_http" in (await get(port, "/metrics"))[1]
    assert (await get(port, "/api/v1/connections"))[0] == 401
    code, rest = await hub.stop()
    assert code == 0
    assert '"stopped"' in rest
    warned = {event.get("note", "")[:20] for event in hub.events if event["event"] == "settings"}
    assert "CONNECTOR_PUBLIC_URL" in warned
    assert any(event["event"] == "secret_key_made" for event in hub.events)
    assert key_file(tmp_path / "hub.db").stat().st_mode & 0o777 == 0o600
    assert "a-token-of-20-letters" not in json.dumps(hub.events) + rest


async def test_what_is_under_way_at_sigterm_is_finished_and_saved(tmp_path):
    key = generate_key()
    async with open_hub(settings(tmp_path, secret_key=key)) as opened:
        connection, _ = await add(opened, spec())
        secret = reveal(opened.vault, connection, Purpose.NOTIFY)
    hub = await Running.start(tmp_path, role="web", SECRET_KEY=key)
    urls = await hub.ready()
    port = int(urls["public"].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b'{"IdSku":"15"}'
    path = f"/vtex/v1/{connection.id}/{secret}/api/notification/"
    head = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body[:5])
    await asyncio.sleep(0.2)
    stopping = asyncio.create_task(hub.stop())
    await asyncio.sleep(0.5)
    writer.write(body[5:])
    answer = await reader.readline()
    writer.close()
    code, rest = await stopping
    assert answer.startswith(b"HTTP/1.1 200")
    assert code == 0
    assert secret not in rest
    async with open_hub(settings(tmp_path, secret_key=key)) as opened:
        rows = await opened.store.pending(connection.id, Context.LISTINGS, parked=False)
        assert [row.key for row in rows] == ["15"]


async def test_a_worker_has_no_public_port(tmp_path):
    hub = await Running.start(tmp_path, role="worker")
    urls = await hub.ready()
    assert "public" not in urls
    code, _ = await hub.stop()
    assert code == 0


async def test_a_hub_that_cannot_start_says_why_in_one_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        hub = await Running.start(tmp_path, BIND=address, PUBLIC_URL="https://x.example")
        _, rest = await hub.process.communicate()
    assert hub.process.returncode == 2
    told = [line for line in rest.decode().splitlines() if not line.startswith("{")]
    assert len(told) == 1
    assert f"CONNECTOR_BIND={address}" in told[0]
    assert not (tmp_path / "hub.db").exists()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"secret_key": "k1:c2hvcnQ="}, "CONNECTOR_SECRET_KEY"),
        ({"secret_key": "nonsense"}, "CONNECTOR_SECRET_KEY"),
        ({"store_url": "sqlite:////dev/null/hub.db"}, "CONNECTOR_STORE_URL"),
        ({"bind": "256.0.0.1:80"}, "CONNECTOR_BIND"),
    ],
)
async def test_what_is_wrong_is_named(tmp_path, changes, word):
    with pytest.raises(StartError, match=word) as caught:
        async with Process(settings(tmp_path, **changes), "all"):
            pass
    assert "c2hvcnQ" not in str(caught.value)


async def test_an_adapter_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StartError, match="nothing"):
        async with Process(settings(tmp_path), "worker", ["nothing"]):
            pass


def test_the_key_of_an_embedded_store_is_made_once_and_missed_when_lost(tmp_path):
    plain = settings(tmp_path, secret_key=None)
    store = tmp_path / "hub.db"
    keys = vault_keys(plain)
    assert vault_keys(plain) == keys
    store.write_bytes(b"something")
    assert vault_keys(plain) == keys
    key_file(store).chmod(0o644)
    with pytest.raises(StartError, match="chmod 600"):
        vault_keys(plain)
    key_file(store).unlink()
    with pytest.raises(StartError, match="put"):
        vault_keys(plain)
    assert list(tmp_path.glob("*.key*")) == []
