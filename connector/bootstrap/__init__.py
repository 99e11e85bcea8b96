"""Puts the hub together and runs it; the only place that knows drivers."""

from connector.bootstrap.hub import open_hub
from connector.bootstrap.keys import StartError, generate_key, key_file, vault_keys
from connector.bootstrap.process import Process, RoleName, serve

__all__ = [
    "Process",
    "RoleName",
    "StartError",
    "generate_key",
    "key_file",
    "open_hub",
    "serve",
    "vault_keys",
]
