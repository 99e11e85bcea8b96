"""Secrets at rest: AES-256-GCM, bound to where they belong, with keys that can be replaced."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = "v1"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


def generate_key(key_id: str = "k1") -> str:
    """Make a new key, as it goes into the settings."""
    if not _KEY_ID.fullmatch(key_id):
        raise ValueError("a key id is letters, digits, - and _")
    return f"{key_id}:{base64.b64encode(os.urandom(_KEY_BYTES)).decode()}"


class AesVault:
    """``ports.Vault`` with a ring of keys: the first one seals, all of them open.

    ``keys`` are ``id:base64`` of 32 bytes each. Sealed values look like
    ``v1.<key id>.<nonce>.<ciphertext>``.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = dict(_parsed(key) for key in keys)
        if not self._keys or len(self._keys) != len(keys):
            raise ValueError("a vault needs keys, each with an id of its own")
        self._first = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"<AesVault keys={list(self._keys)}>"

    def seal(self, secret: str, *, bound_to: str) -> str:
        """Encrypt with the first key."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._keys[self._first].encrypt(nonce, secret.encode(), bound_to.encode())
        return f"{_VERSION}.{self._first}.{_encoded(nonce)}.{_encoded(sealed)}"

    def open(self, sealed: str, *, bound_to: str) -> str:
        """Decrypt with the key it was sealed with; ValueError where that cannot be."""
        version, *parts = sealed.split(".")
        if version != _VERSION or len(parts) != 3:
            raise ValueError("not a sealed secret")
        key = self._keys.get(parts[0])
        if key is None:
            raise ValueError("sealed with a key that is not in the ring")
        nonce, ciphertext = _decoded(parts[1]), _decoded(parts[2])
        if len(nonce) != _NONCE_BYTES:
            raise ValueError("not a sealed secret")
        try:
            return key.decrypt(nonce, ciphertext, bound_to.encode()).decode()
        except InvalidTag:
            raise ValueError("the sealed secret was changed, or belongs elsewhere") from None


def _parsed(key: str) -> tuple[str, AESGCM]:
    key_id, _, encoded = key.strip().partition(":")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raw = b""
    # The key itself must not get into a message.
    if not _KEY_ID.fullmatch(key_id) or len(raw) != _KEY_BYTES:
        raise ValueError("a vault key is <id>:<base64 of 32 bytes>")
    return key_id, AESGCM(raw)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise ValueError("not a sealed secret") from None
    if _encoded(raw) != text:  # base64 has several texts for the same bytes; only one is ours
        raise ValueError("not a sealed secret")
    return raw
