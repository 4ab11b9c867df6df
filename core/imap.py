"""Reading a mailbox that an operator configured, over IMAP, with limits on time, number and size.

Each use opens a new connection. If it is lost, the next use reads the mails again that were neither flagged nor deleted.
Mails are returned as bytes, so that a malformed one causes no error here.
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
# A report begins with its facts, so the limit cuts off only the end of the returned mail.
LIMIT_BYTES = 256 * 1024
WHOLE = f"BODY.PEEK[]<0.{LIMIT_BYTES}>"
# How the server names a fetched part in its answer.
BROUGHT = b"BODY["
# Printable ASCII, which can be written into a command. Other names must be encoded as in RFC 3501 §5.1.3.
PLAIN = re.compile(r"[\x20-\x7e]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class MailboxError(Exception):
    """The mailbox could not be read. The message says why on one line, without credentials."""

    def __init__(self, message: str) -> None:
        # The message may quote the server. PostgreSQL refuses a NUL, and the error could not be stored for staff.
        super().__init__("".join(character for character in message if character.isprintable()))


@dataclass(frozen=True)
class MailboxUrl:
    """The address of a mailbox: imaps://user:password@host:port/Folder."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """imaps:// (TLS), imap+tls:// (STARTTLS) or imap:// (no encryption). Raises ValueError, whose message repeats
        nothing of `url`."""
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
    """One mail, not parsed."""

    uid: int
    content: bytes
    """Its first bytes, at most `LIMIT_BYTES`."""

    @cached_property
    def message(self) -> Message:
        """The parsed mail, empty if it cannot be parsed, such as a thousand nested mails.

        It uses Python's old policy, which accepts every header; call `str()` on its values.
        """
        try:
            return message_from_bytes(self.content)
        except Exception:  # a stranger's mail may break the parser, and the next one must still be read
            return Message()


class Mailbox:
    """A selected folder, to be used in a with block. Every method may raise MailboxError.

    with Mailbox(url) as mailbox:
        for mail in mailbox.unread(limit=100):
            mailbox.delete([mail.uid])
    """

    def __init__(self, url: MailboxUrl, timeout: float = TIMEOUT_SECONDS) -> None:
        """`timeout`: seconds within which the server must answer."""
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
            self._close_connection()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # No logout on a broken connection: it would wait for the timeout again.
        if kind is None or not issubclass(kind, MailboxError):
            with contextlib.suppress(IMAPClientError, OSError):
                self._imap.logout()
        self._close_connection()

    def unread(self, limit: int) -> Iterator[Mail]:
        """Up to `limit` mails that were neither read, flagged nor deleted, oldest first. They stay unread."""
        yield from self.matching("UNSEEN UNFLAGGED UNDELETED", limit)

    def matching(self, criteria: str, limit: int, part: str = WHOLE) -> Iterator[Mail]:
        """Up to `limit` mails that match a SEARCH (RFC 3501), oldest first. `part`: the part of each to FETCH."""
        for uid in self._find(criteria, limit):
            if content := self._fetch(uid, part):
                yield Mail(uid, content)

    def flag(self, uids: Iterable[int]) -> None:
        """Flag mails for a person to look at. They stay unread, but `unread` does not return them again."""
        self._mark(uids, FLAGGED)

    def delete(self, uids: Iterable[int]) -> None:
        """Delete mails. If the server cannot remove single mails (RFC 4315), they stay there marked as deleted."""
        numbers = sorted(set(uids))
        self._mark(numbers, DELETED, SEEN)
        with self._errors("delete"):
            if numbers and self._imap.has_capability("UIDPLUS"):
                self._imap.uid_expunge(numbers)

    def _connect(self) -> IMAPClient:
        is_tls = self.url.scheme == "imaps"
        context = ssl.create_default_context() if is_tls else None
        imap = IMAPClient(self.url.host, self.url.port, ssl=is_tls, ssl_context=context, timeout=self._timeout)
        imap.folder_encode = False  # the URL contains the name in the server's encoding
        if self.url.scheme == "imap+tls":
            try:
                self._encrypt(imap)
            except BaseException:
                with contextlib.suppress(OSError):  # a failed handshake has closed it; the first error must be raised
                    imap.shutdown()
                raise
        return imap

    def _encrypt(self, imap: IMAPClient) -> None:
        try:
            imap.starttls(ssl.create_default_context())
        except CapabilityError:
            raise MailboxError(
                f"{self.url.host}: the server offers no encryption (STARTTLS), so our password was not sent."
            ) from None

    def _sign_in(self) -> None:
        """Sign in by PLAIN where it is offered, since it accepts passwords with any letters. The server's text is not part
        of the error."""
        user, password = self.url.user, self.url.password
        with self._errors("sign in"):
            try:
                if self._imap.has_capability("AUTH=PLAIN"):
                    self._imap.plain_login(user, password)
                else:
                    self._imap.login(user, password)
            except LoginError as error:
                if isinstance(error.__context__, IMAPClientAbortError):  # the connection was closed
                    raise
                raise MailboxError(f"{self.url.host}: our sign-in is refused.") from None
            except UnicodeError:
                raise MailboxError(f"{self.url.host}: our sign-in is refused.") from None

    def _find(self, criteria: str, limit: int) -> list[int]:
        with self._errors("search"):
            return sorted(self._imap.search(criteria))[:limit]

    def _fetch(self, uid: int, part: str) -> bytes:
        """The part of a mail; empty if the mail was deleted meanwhile."""
        with self._errors("fetch"):
            answer = self._imap.fetch([uid], [part]).get(uid, {})
        brought = [value for name, value in answer.items() if name.startswith(BROUGHT) and isinstance(value, bytes)]
        return brought[0][:LIMIT_BYTES] if brought else b""

    def _mark(self, uids: Iterable[int], *flags: bytes) -> None:
        if numbers := sorted(set(uids)):
            with self._errors("mark"):
                self._imap.add_flags(numbers, flags, silent=True)

    def _close_connection(self) -> None:
        with contextlib.suppress(OSError):
            self._imap.shutdown()

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turns every error inside the block into a MailboxError."""
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
        except Exception as error:  # the library may raise anything for an unexpected answer
            said = str(error)[:200] or type(error).__name__
            raise MailboxError(f"{self.url.host}: could not {doing}: {said}") from None
