"""Parses the URL of a mail server: smtp+tls://user:password@host:587."""

from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


@dataclass(frozen=True)
class SmtpUrl:
    scheme: str
    """smtp (plain), smtp+tls (STARTTLS) or smtps (TLS)."""
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises ValueError, whose message repeats nothing of `url`, which may hold a password."""
        try:
            parts, port = urlsplit(url), urlsplit(url).port
        except ValueError:
            raise ValueError("is not a URL such as smtp+tls://user:password@host:587.") from None
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("must begin with smtp://, smtp+tls:// or smtps:// and name a host.")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.scheme, parts.hostname, port or PORTS[parts.scheme], user, password)
