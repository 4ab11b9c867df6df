"""How settings are read: from NAME, or from the file that NAME_FILE names; a bad value stops the start.

django-environ does the parsing. Three of its habits are changed, because they would hide a mistake: an
unknown word for a switch meant "off", a value that began with "$" was looked up as another variable, and
the line end of a secret's file belonged to the secret.
"""

import os
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.conf.locale import LANG_INFO
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

from core.imap import MailboxUrl
from core.smtp_url import SmtpUrl

# Plain enough to stand in an address, a cookie and a proxy's rules as it is.
SUB_PATH = re.compile(r"(/[A-Za-z0-9_-]+)*")
SWITCH = dict.fromkeys(("true", "on", "yes", "1"), True) | dict.fromkeys(("false", "off", "no", "0"), False)
SQLITE = "django.db.backends.sqlite3"
POSTGRESQL = "django.db.backends.postgresql"


# libpq's: how soon a process notices that a database's host has vanished, seconds and (the last) milliseconds. Without
# them it waits for an answer until the system gives up, after 15 minutes to 2 hours, and keeps what it had claimed.
LOST_CONNECTION = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


class Environment(environ.FileAwareEnv):  # type: ignore[misc]
    """Reads one variable at a time; every error is ImproperlyConfigured and begins with the variable's name."""

    ENVIRON = FileAwareMapping(cache=False)

    def text(self, name: str, default: str = "") -> str:
        """The value without white space at its ends; `default` when it is unset or empty."""
        if os.environ.get(name) and os.environ.get(f"{name}_FILE"):
            raise ImproperlyConfigured(f"{name}: set either {name} or {name}_FILE, not both.")
        try:
            value: str = self.ENVIRON[name]
        except KeyError:
            return default
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: cannot be read: {error.strerror}.") from error
        return value.strip() or default

    def switch(self, name: str, *, default: bool) -> bool:
        value = self.text(name)
        if not value:
            return default
        if value.lower() not in SWITCH:
            raise ImproperlyConfigured(f"{name}: “{value}” is neither true nor false.")
        return SWITCH[value.lower()]

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**31) -> int:
        value = self.text(name)
        if not value:
            return default
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise ImproperlyConfigured(f"{name}: “{value}” is not a whole number from {least} to {most}.")
        return int(value)

    def words(self, name: str) -> list[str]:
        """The parts between commas; an empty list when unset."""
        return [part.strip() for part in self.text(name).split(",") if part.strip()]

    def keys(self, name: str) -> dict[str, str]:
        """Such as mailgun=SECRET: a key for each name; {} when unset. No error repeats one."""
        keys = {}
        for part in self.words(name):
            key, _, value = part.partition("=")
            if not key.strip() or not value.strip() or not value.isascii():
                raise ImproperlyConfigured(f"{name}: is not a list such as mailgun=KEY.")
            keys[key.strip().lower()] = value.strip()
        return keys

    def rates(self, name: str) -> dict[str, int]:
        """Such as gmail.com=50,*=200: a whole number from 1 for each name; {} when unset."""
        rates = {}
        for part in self.words(name):
            key, _, rate = part.partition("=")
            if not key.strip() or not rate.strip().isdecimal() or not int(rate):
                raise ImproperlyConfigured(f"{name}: “{part}” is not a domain and a number, such as example.com=50.")
            rates[key.strip().lower()] = int(rate)
        return rates

    def one_of(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        if value not in choices:
            raise ImproperlyConfigured(f"{name}: “{value}” is none of {', '.join(choices)}.")
        return value

    def web_address(self, name: str) -> str:
        """Such as https://status.example.com or https://example.com/status; "" when unset."""
        value = self.text(name).rstrip("/")
        parts = urlsplit(value)
        is_address = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        if value and not (is_address and SUB_PATH.fullmatch(parts.path)):
            raise ImproperlyConfigured(f"{name}: “{value}” is not an address such as https://status.example.com.")
        return value

    def endpoint(self, name: str) -> str:
        """An http or https address with any path; "" when unset. It may hold a secret, so no error repeats it."""
        return self.endpoint_of(name, self.text(name))

    def endpoint_of(self, name: str, value: str) -> str:
        """The same of a value, such as one of a list."""
        try:
            parts, _ = urlsplit(value), urlsplit(value).port
        except ValueError:
            raise ImproperlyConfigured(f"{name}: is not an http or https address.") from None
        if value and (parts.scheme not in ("http", "https") or not parts.hostname or not value.isascii()):
            raise ImproperlyConfigured(f"{name}: is not an http or https address.")
        if "@" in parts.netloc:  # they would not be sent, and be told with every alarm about this address
            raise ImproperlyConfigured(f"{name}: must not hold a user name or a password.")
        return value

    def directory(self, name: str, default: Path, *, writable: bool = True) -> Path:
        """An absolute path; the directory is made, for its owner only, when it is not there."""
        path = Path(self.text(name, str(default))).expanduser().absolute()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ImproperlyConfigured(f"{name}: {path} cannot be made: {error.strerror}.") from error
        if writable and not os.access(path, os.W_OK | os.X_OK):
            raise ImproperlyConfigured(f"{name}: {path} is not writable for this user.")
        return path

    def languages(self, name: str, own: str, folders: list[Path]) -> list[tuple[str, str]]:
        """(code, its name in the language itself) of `own` and of those that have a compiled catalogue in `folders`."""
        files = (path for folder in folders for path in folder.glob("*/LC_MESSAGES/django.mo"))
        found = sorted({path.parts[-3].replace("_", "-").lower() for path in files} - {own})
        wanted = self.words(name) or found
        if unknown := set(wanted) - {own, *found}:
            raise ImproperlyConfigured(f"{name}: there is no catalogue of {', '.join(sorted(unknown))}.")
        return [(code, language_name(code)) for code in (own, *(code for code in found if code in wanted))]

    def database(self, name: str, embedded: Path, *, pool_size: int) -> dict[str, Any]:
        """Django's settings for a database URL; a SQLite file at `embedded` when unset."""
        url = self.text(name)
        try:
            config: dict[str, Any] = self.db_url_config(url) if url else {"ENGINE": SQLITE, "NAME": str(embedded)}
        except ValueError:  # the message would repeat the URL, and with it the password
            raise ImproperlyConfigured(f"{name}: is not a URL such as postgresql://user:password@host/name.") from None
        if config.get("ENGINE") == SQLITE:
            return config | {"OPTIONS": sqlite_options()}
        if config.get("ENGINE") != POSTGRESQL:
            raise ImproperlyConfigured(f"{name}: must begin with postgresql:// or sqlite:///.")
        # Persistent connections and ASGI's threads do not mix; psycopg's pool does.
        pool = {"min_size": 0, "max_size": pool_size, "timeout": 5, "max_idle": 60}
        # A process that hangs in the middle of a transaction lets go of its locks: before its deliveries' leases end.
        session = "-c idle_in_transaction_session_timeout=60s"
        options = {
            "connect_timeout": 5,
            **LOST_CONNECTION,
            "options": session,
            **config.get("OPTIONS", {}),
            "pool": pool,
        }
        return config | {"OPTIONS": options, "CONN_MAX_AGE": 0}

    def broker(self, name: str, embedded: Path) -> str:
        """Celery's broker URL; the socket that `manage.py up` links at `embedded` when unset."""
        url = self.text(name)
        if not url:
            # Resolved, because a socket's path may have no more than some 100 bytes and this link may be longer.
            return f"redis+socket://{embedded.resolve()}"
        if not url.startswith(("redis://", "rediss://", "redis+socket://")):
            raise ImproperlyConfigured(f"{name}: must begin with redis://, rediss:// or redis+socket://.")
        return url

    def mail(self, name: str) -> dict[str, Any]:
        """Django's EMAIL_* settings of smtp:// (plain), smtp+tls:// (STARTTLS) or smtps:// (TLS); {} when unset."""
        url = self.mail_url(name)
        if not url:
            return {}
        server = SmtpUrl.parse(url)
        return {
            "EMAIL_HOST": server.host,
            "EMAIL_PORT": server.port,
            "EMAIL_HOST_USER": server.user,
            "EMAIL_HOST_PASSWORD": server.password,
            "EMAIL_USE_TLS": server.scheme == "smtp+tls",
            "EMAIL_USE_SSL": server.scheme == "smtps",
        }

    def mail_url(self, name: str) -> str:
        """The URL of a mail server as it was written; "" when unset. It may hold a password, so no error repeats it."""
        url = self.text(name)
        try:
            if url:
                SmtpUrl.parse(url)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {error}") from None
        return url

    def mailbox(self, name: str) -> MailboxUrl | None:
        """An IMAP mailbox; None when unset."""
        url = self.text(name)
        try:
            return MailboxUrl.parse(url) if url else None
        except ValueError:  # the message may repeat the URL, and with it the password
            raise ImproperlyConfigured(f"{name}: is not a mailbox such as imaps://user:password@host/INBOX.") from None


def sqlite_options() -> dict[str, Any]:
    """Readers beside one writer, and a writer that waits for its turn instead of failing."""
    return {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }


def kept_secret(path: Path) -> str:
    """The secret in `path`; made and stored for its owner only when there is none.

    Processes that start together agree on one: each writes its own file, and the first link wins.
    """
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def language_name(code: str) -> str:
    """ "Deutsch" for "de"; the code itself for one that Django does not know."""
    known = LANG_INFO.get(code) or LANG_INFO.get(code.partition("-")[0]) or {}
    return str(known.get("name_local", code))
