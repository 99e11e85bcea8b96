"""Which URLs and addresses the hub may call: URLs come from tenants and marketplaces (SSRF)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from yarl import URL

from connector.domain.http import NotSent

IPAddress = IPv4Address | IPv6Address

# The standard library calls some of these global: they lead to other addresses (NAT64, 6to4,
# Teredo), to anybody (relays), or to a cloud's own services.
_DENIED: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
_UNICAST_V6: Final = ipaddress.ip_network("2000::/3")
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*")
# Visible ASCII without backslash: whatever else is in a URL is read differently by somebody.
_URL: Final = re.compile(r"[!-\[\]-~]+")


class Refused(NotSent):
    """Our own guard refused the URL or the address behind it."""


def is_public(ip: str | IPAddress) -> bool:
    """Whether an address is an ordinary one of the public Internet."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in _UNICAST_V6:  # leaves out NAT64, compatible, link and site local, ...
            return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address.version == net.version and address in net for net in _DENIED)


class Guard:
    """Lets https to public names through, and whatever hosts the operator names.

    ``allow_hosts`` are ``host`` (every port) or ``host:port``; to these http and private addresses
    are allowed, too.
    """

    def __init__(self, allow_hosts: Collection[str] = ()) -> None:
        self._allowed = frozenset(host.strip().lower() for host in allow_hosts)

    def names(self, host: str, port: int | None) -> bool:
        """Whether the operator named this host."""
        host = host.lower().rstrip(".")
        shown = f"[{host}]" if ":" in host else host
        return bool({host, shown, f"{shown}:{port}"} & self._allowed)

    def check_url(self, url: str) -> URL:
        """Parse a URL whose parts are percent-encoded already.

        Raises:
            Refused: it must not be called.
        """
        if not _URL.fullmatch(url):
            raise Refused("the URL has characters that must be percent-encoded")
        try:
            parsed = URL(url, encoded=True)
            host, port = (parsed.raw_host or "").lower(), parsed.port
        except ValueError as error:
            raise Refused("the URL cannot be read") from error
        if parsed.scheme not in {"http", "https"} or not host:
            raise Refused("the URL is not one of the web")
        if parsed.raw_user is not None or parsed.raw_password is not None:
            raise Refused("the URL carries credentials")
        if "@" in parsed.raw_authority:
            raise Refused("the URL carries credentials")
        if self.names(host, port):
            return parsed
        if parsed.scheme != "https" or port != 443:
            raise Refused(f"only https on port 443 is called, unless {host} is named")
        if is_literal(host):
            raise Refused("addresses are called by name only")
        if not _NAME.fullmatch(host):
            raise Refused("the host is not a name")
        return parsed

    def check_address(self, host: str, port: int, ip: str) -> None:
        """Check an address that a name stands for.

        Raises:
            Refused: it is not public, and the host is not named.
        """
        if not self.names(host, port) and not is_public(ip):
            raise Refused(f"{host} stands for an address that is not public")


def is_literal(host: str) -> bool:
    """Whether a host is an address in any notation that some resolver reads as one."""
    if ":" in host or host.startswith("["):
        return True
    last = host.rstrip(".").rpartition(".")[2]
    return bool(_NUMBER.fullmatch(last))
