"""What was acknowledged is in the ledger, however the hub dies; a restarted hub goes on with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

_KILLS = 20
_DEADLINE_S = 20


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Hub:
    """A real hub process on a ledger of its own. Its VTEX is nobody: only intake is looked at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.env = {
            **os.environ,
            "CONNECTOR_STORE_URL": f"sqlite:///{folder}/ledger.db",
            "CONNECTOR_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "CONNECTOR_BIND": f"127.0.0.1:{self.port}",
            "CONNECTOR_ADMIN_BIND": f"127.0.0.1:{_free_port()}",
            "CONNECTOR_ALLOW_HOSTS": "127.0.0.1",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str, text: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "connector.cli.main", *words],
            env=self.env,
            cwd=self.folder,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    def connect(self) -> dict[str, str]:
        spec = {
            "account": "simstore",
            "affiliate_id": "MKT",
            "sales_channel": 1,
            "app_key": "key",
            "app_token": "token",
            "adapter": "demo",
            "adapter_settings": {
                "base_url": "http://127.0.0.1:9",
                "seller_id": "s",
                "api_key": "k",
                "webhook_secret": "w",
            },
            "vtex_base_url": "http://127.0.0.1:9",
        }
        return json.loads(self.command("connection", "add", "--file", "-", text=json.dumps(spec)))

    async def start(self) -> None:
        self.process = subprocess.Popen(  # noqa: ASYNC220 - it is killed, not awaited
            [sys.executable, "-m", "connector.cli.main", "serve", "--role", "web"],
            env=self.env,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)  # polls until it listens
                    continue
                writer.close()
                await writer.wait_closed()
                return

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def saved_skus(self) -> set[str]:
        with sqlite3.connect(self.folder / "ledger.db") as db:
            found = {row[0] for row in db.execute("SELECT key FROM pending")}
        db.close()
        return found

    def saved_facts(self) -> int:
        with sqlite3.connect(self.folder / "ledger.db") as db:
            (count,) = db.execute("SELECT count(*) FROM facts").fetchone()
        db.close()
        return int(count)


@pytest.fixture
def hub(tmp_path: Path):
    hub = Hub(tmp_path)
    yield hub
    if hub.process is not None and hub.process.poll() is None:
        hub.kill()


async def test_every_acknowledged_fact_survives_a_kill_right_after_the_answer(hub: Hub) -> None:
    urls = hub.connect()
    acknowledged: list[str] = []
    for round_number in range(_KILLS):
        await hub.start()
        # The kill comes in the middle of a burst: some are answered, some are not.
        await asyncio.gather(
            *(
                _notify(hub, urls["notification_url"], f"{round_number}{n:03}", acknowledged, n)
                for n in range(32)
            )
        )
    assert len(acknowledged) >= _KILLS
    assert set(acknowledged) <= hub.saved_skus()


async def _notify(hub: Hub, url: str, sku: str, acknowledged: list[str], n: int) -> None:
    body = json.dumps({"IdSku": sku, "An": "simstore", "IdAffiliate": "MKT", "PriceModified": True})
    try:
        async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:  # noqa: TID251 - the test is a peer
            if answer.status != 200:
                return
            acknowledged.append(sku)
            if n == 7:
                hub.kill()
    except aiohttp.ClientError:
        return


async def test_an_acknowledged_invoice_survives_a_kill_and_is_kept_once(hub: Hub) -> None:
    urls = hub.connect()
    url = f"{urls['services_endpoint']}/pub/orders/C-1/invoice"
    body = json.dumps(
        {
            "type": "Output",
            "invoiceNumber": "NFe 1/2",
            "items": [{"id": "1", "quantity": 1, "price": 100}],
            "issuanceDate": "2026-01-01T00:00:00",
            "invoiceValue": 100,
        }
    )
    receipts = []
    for _ in range(3):
        await hub.start()
        async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:  # noqa: TID251 - the test is a peer
            assert answer.status == 200
            receipts.append((await answer.json())["receipt"])
        hub.kill()
    assert hub.saved_facts() == 1
    assert len(set(receipts)) == 1
