"""What only we can compute, because it takes our SECRET_KEY; retired keys are still good for checking."""

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
    """One that no other purpose has, so that what is signed for one never passes for another."""
    return KeyedHash(hashlib.sha256(f"{purpose}{key}".encode()).digest())


def secret_keys() -> tuple[str, ...]:
    """Today's key, then the retired ones."""
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
