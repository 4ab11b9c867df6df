"""Secrets of staff-owned accounts, encrypted at rest.

A JSON object under Fernet (AES-128-CBC with HMAC). The key comes from CREDENTIALS_KEY, or is derived from
SECRET_KEY when that is not set; several keys, separated by commas, let an operator rotate them.
"""

import base64
import hashlib
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


def _fernet() -> MultiFernet:
    keys = settings.CREDENTIALS_KEYS or [settings.SECRET_KEY]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])


class CredentialsField(models.TextField):  # type: ignore[type-arg]
    """A dict of strings in Python, ciphertext in the database; {} when it is empty or no key decrypts it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", dict)
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: str | None, *args: Any) -> dict[str, str]:
        if not value:
            return {}
        try:
            decrypted: dict[str, str] = json.loads(_fernet().decrypt(value.encode()))
        except InvalidToken:
            return {}
        return decrypted

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, dict) else {}

    def get_prep_value(self, value: Any) -> str:
        if not value:
            return ""
        return _fernet().encrypt(json.dumps(value).encode()).decode()
