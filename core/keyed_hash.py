"""What only we can compute, because it takes our SECRET_KEY; retired keys are still good for checking."""

import hashlib
from functools import lru_cache

from django.conf import settings

BLOCK = 64  # bytes that SHA-256 takes at once
INNER, OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


class KeyedHash:
    """HMAC-SHA-256 (RFC 2104) under one key, begun once. A fan-out needs three for each mail, and the standard
    library's copies of a begun one cost three times as much."""

    def __init__(self, key: bytes) -> None:
        key = (key if len(key) <= BLOCK else hashlib.sha256(key).digest()).ljust(BLOCK, b"\0")
        self._inner = hashlib.sha256(key.translate(INNER))
        self._outer = hashlib.sha256(key.translate(OUTER))

    def hexdigest(self, value: str) -> str:
        """64 hex digits."""
        inner = self._inner.copy()
        inner.update(value.encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()


@lru_cache(maxsize=64)
def keyed_for(purpose: str, key: str) -> KeyedHash:
    """One that no other purpose has, so that what is signed for one never passes for another."""
    return KeyedHash(hashlib.sha256(f"{purpose}{key}".encode()).digest())


def secret_keys() -> tuple[str, ...]:
    """Today's key, then the retired ones."""
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
