"""Reading a mailbox that an operator named, over IMAP: bounded in time, in count and in size.

Each use opens a connection of its own, so a lost one costs a round and nothing else: what was neither marked nor
deleted comes again. Mails are handed over as bytes; nothing a stranger sends can be too malformed for that.
"""

import contextlib
import re
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from functools import cached_property
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from imapclient import DELETED, FLAGGED, SEEN, IMAPClient
from imapclient.exceptions import CapabilityError, IMAPClientAbortError, IMAPClientError, LoginError

PORTS = {"imap": 143, "imap+tls": 143, "imaps": 993}
TIMEOUT_SECONDS = 10.0
# Reports begin with what they report; what is cut off is the end of a returned mail.
LIMIT_BYTES = 256 * 1024
WHOLE = f"BODY.PEEK[]<0.{LIMIT_BYTES}>"
# As the server names it in its answer.
BROUGHT = b"BODY["
# Printable ASCII, as it is written into a command. Others write a folder's name as their server does (RFC 3501 §5.1.3).
PLAIN = re.compile(r"[\x20-\x7e]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class MailboxError(Exception):
    """The mailbox could not be read. The text says why, on one line, and holds no credentials."""

    def __init__(self, message: str) -> None:
        # It may repeat the server's words; PostgreSQL refuses a NUL, and nobody would hear of it.
        super().__init__("".join(character for character in message if character.isprintable()))


@dataclass(frozen=True)
class MailboxUrl:
    """Where a mailbox is: imaps://user:password@host:port/Folder."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """imaps:// (TLS), imap+tls:// (STARTTLS) or imap:// (no encryption). Raises ValueError without a word of `url`."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname or not parts.username or not parts.password:
            raise ValueError("is not a URL such as imaps://user:password@host/INBOX")
        user, password, folder = (unquote(part) for part in (parts.username, parts.password, parts.path.strip("/")))
        folder = folder or "INBOX"
        if CONTROL.search(user + password) or not PLAIN.fullmatch(folder):
            raise ValueError("holds characters that cannot be sent")
        return cls(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme], user, password, folder)


@dataclass(frozen=True)
class Mail:
    """One mail, not yet understood."""

    uid: int
    content: bytes
    """At most `LIMIT_BYTES` from its beginning."""

    @cached_property
    def message(self) -> Message:
        """Parsed by the old policy, which fails at no header, however odd: take `str()` of what you read.

        Empty when it cannot be parsed at all, such as a thousand mails inside each other.
        """
        try:
            return message_from_bytes(self.content)
        except Exception:  # whatever a stranger's mail does to the parser, the next one is to be read
            return Message()


class Mailbox:
    """A selected folder, for the length of a with block. Every method may raise MailboxError.

    with Mailbox(url) as mailbox:
        for mail in mailbox.unread(limit=100):
            mailbox.delete([mail.uid])
    """

    def __init__(self, url: MailboxUrl, timeout: float = TIMEOUT_SECONDS) -> None:
        """`timeout`: seconds that the server may keep silent."""
        self.url = url
        self._timeout = timeout

    def __enter__(self) -> Self:
        with self._errors("connect"):
            self._imap = self._connect()
        try:
            self._sign_in()
            with self._errors("open the folder"):
                self._imap.select_folder(self.url.folder)
        except BaseException:
            self._hang_up()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A connection that broke would make us wait once more.
        if kind is None or not issubclass(kind, MailboxError):
            with contextlib.suppress(IMAPClientError, OSError):
                self._imap.logout()
        self._hang_up()

    def unread(self, limit: int) -> Iterator[Mail]:
        """Up to `limit` mails that were neither read, flagged nor deleted, oldest first. They stay unread."""
        yield from self.matching("UNSEEN UNFLAGGED UNDELETED", limit)

    def matching(self, criteria: str, limit: int, part: str = WHOLE) -> Iterator[Mail]:
        """Up to `limit` mails for these words of SEARCH (RFC 3501), oldest first. `part`: of FETCH, what to bring of each."""
        for uid in self._find(criteria, limit):
            if content := self._fetch(uid, part):
                yield Mail(uid, content)

    def flag(self, uids: Iterable[int]) -> None:
        """Leave them, unread, for a person to look at: `unread` passes them by from now on."""
        self._mark(uids, FLAGGED)

    def delete(self, uids: Iterable[int]) -> None:
        """Where the server cannot remove single mails (RFC 4315) they stay, marked as deleted."""
        numbers = sorted(set(uids))
        self._mark(numbers, DELETED, SEEN)
        with self._errors("delete"):
            if numbers and self._imap.has_capability("UIDPLUS"):
                self._imap.uid_expunge(numbers)

    def _connect(self) -> IMAPClient:
        is_tls = self.url.scheme == "imaps"
        context = ssl.create_default_context() if is_tls else None
        imap = IMAPClient(self.url.host, self.url.port, ssl=is_tls, ssl_context=context, timeout=self._timeout)
        imap.folder_encode = False  # the URL has the name as the server writes it
        if self.url.scheme == "imap+tls":
            try:
                self._encrypt(imap)
            except BaseException:
                with contextlib.suppress(OSError):  # a failed handshake has closed it, and its reason is what counts
                    imap.shutdown()
                raise
        return imap

    def _encrypt(self, imap: IMAPClient) -> None:
        try:
            imap.starttls(ssl.create_default_context())
        except CapabilityError:
            raise MailboxError(
                f"{self.url.host}: it offers no encryption (STARTTLS), so it was not told our password."
            ) from None

    def _sign_in(self) -> None:
        """PLAIN where it is offered: it takes passwords of any letters. The server's words are not passed on."""
        user, password = self.url.user, self.url.password
        with self._errors("sign in"):
            try:
                if self._imap.has_capability("AUTH=PLAIN"):
                    self._imap.plain_login(user, password)
                else:
                    self._imap.login(user, password)
            except LoginError as error:
                if isinstance(error.__context__, IMAPClientAbortError):  # it hung up
                    raise
                raise MailboxError(f"{self.url.host}: our sign-in is refused.") from None
            except UnicodeError:
                raise MailboxError(f"{self.url.host}: our sign-in is refused.") from None

    def _find(self, criteria: str, limit: int) -> list[int]:
        with self._errors("search"):
            return sorted(self._imap.search(criteria))[:limit]

    def _fetch(self, uid: int, part: str) -> bytes:
        """Empty when it is gone by now."""
        with self._errors("fetch"):
            answer = self._imap.fetch([uid], [part]).get(uid, {})
        brought = [value for name, value in answer.items() if name.startswith(BROUGHT) and isinstance(value, bytes)]
        return brought[0][:LIMIT_BYTES] if brought else b""

    def _mark(self, uids: Iterable[int], *flags: bytes) -> None:
        if numbers := sorted(set(uids)):
            with self._errors("mark"):
                self._imap.add_flags(numbers, flags, silent=True)

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._imap.shutdown()

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Whatever goes wrong inside becomes a MailboxError."""
        try:
            yield
        except MailboxError:
            raise
        except ssl.SSLCertVerificationError as error:
            raise MailboxError(f"{self.url.host}: the certificate is not trusted: {error.verify_message}.") from None
        except OSError as error:
            raise MailboxError(
                f"{self.url.host}: could not {doing}: {error.strerror or type(error).__name__}."
            ) from None
        except Exception as error:  # what a stranger's server says in code of others: whatever it raises
            said = str(error)[:200] or type(error).__name__
            raise MailboxError(f"{self.url.host}: could not {doing}: {said}") from None
