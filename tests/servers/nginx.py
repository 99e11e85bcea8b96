"""The nginx that tests put before a hub's stand-in: unpacked by ``make servers``, or installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_UNPACKED = Path(__file__).parents[2] / ".venv/servers/nginx"
HOW = "no nginx: `make servers` gets one where apt works; elsewhere install it"


def binary() -> Path | None:
    """The nginx to use: a named, our own, or an installed one."""
    if named := os.environ.get("CONNECTOR_NGINX"):
        return Path(named)
    if (own := _UNPACKED / "usr/sbin/nginx").exists():
        return own
    installed = shutil.which("nginx")
    return Path(installed) if installed else None


def require() -> Path:
    """The nginx to use; skips the test without one, or fails it where CI must have it."""
    if (found := binary()) is not None:
        return found
    if os.environ.get("CONNECTOR_REQUIRE_SERVERS") == "1":
        pytest.fail(HOW)
    pytest.skip(HOW)


def environment() -> dict[str, str]:
    """What it runs in: libraries that this machine does not have lie beside our own."""
    if not require().is_relative_to(_UNPACKED):
        return dict(os.environ)
    libraries = os.pathsep.join(str(path) for path in _UNPACKED.glob("usr/lib/*-linux-*"))
    return {**os.environ, **({"LD_LIBRARY_PATH": libraries} if libraries else {})}
