"""Keyed hashes (HMAC) under SECRET_KEY; hashes under retired keys can still be checked."""

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings


@dataclass(frozen=True)
class KeyedHash:
    """HMAC-SHA-256 (RFC 2104) under one key."""

    key: bytes

    def hexdigest(self, value: str) -> str:
        """64 hex digits."""
        return hmac.digest(self.key, value.encode(), "sha256").hex()


@lru_cache(maxsize=64)
def keyed_for(purpose: str, key: str) -> KeyedHash:
    """The key for one purpose, so that a signature for one purpose is never valid for another."""
    return KeyedHash(hashlib.sha256(f"{purpose}{key}".encode()).digest())


def secret_keys() -> tuple[str, ...]:
    """The current key first, then the retired ones."""
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
