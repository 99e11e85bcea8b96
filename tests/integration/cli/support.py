"""What commands are tried with."""

from __future__ import annotations

import asyncio

from connector.bootstrap import open_hub
from connector.settings import Settings

TOKEN, KEY, HOOK = "CANARY-app-token", "CANARY-api-key", "CANARY-webhook-secret"
SPEC = {
    "account": "simstore",
    "affiliate_id": "MKT",
    "sales_channel": 2,
    "app_key": "vtexappkey-simstore-SIMULA",
    "app_token": TOKEN,
    "adapter": "demo",
    "adapter_settings": {
        "base_url": "http://127.0.0.1:1",
        "seller_id": "seller-1",
        "api_key": KEY,
        "webhook_secret": HOOK,
    },
    "rules": {"stock_buffer": 1},
}
URL_KEYS = {"id", "notification_url", "services_endpoint", "webhook_url", "logs_url"}


def on_hub(work):
    async def opened():
        async with open_hub(Settings()) as hub:
            return await work(hub)

    return asyncio.run(opened())
