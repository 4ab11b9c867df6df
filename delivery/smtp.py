"""One conversation with an SMTP server: a message at a time, and what the answer means for its recipient.

smtplib opens, encrypts and signs in; the commands of a message are sent here, because Django's backend
stops a batch at the first refused recipient and keeps using a connection that is gone.
"""

import re
import smtplib
import ssl
from contextlib import suppress

from django.conf import settings
from django.core.mail.utils import DNS_NAME

from delivery.channels.base import DeliveryError

CLOSING = 421
ENHANCED_CODE = re.compile(r"(\d\.\d{1,3}\.\d{1,3})\b")
# The recipient's address is not there (RFC 3463): mailbox, domain, syntax, moved, no mail for this domain.
UNKNOWN_ADDRESS = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}
# Somebody has to change a setting: probe rarely.
CONFIGURATION_RETRY_SECONDS = 300.0
REPLY_LIMIT = 150
QUIT_TIMEOUT_SECONDS = 2.0


class ConnectionLostError(Exception):
    """The connection ended before the message was handed over; another one may work."""


class Relay:
    """The server of EMAIL_URL. Opened by the first message, kept open, opened anew when it was lost."""

    def __init__(self) -> None:
        self._smtp: smtplib.SMTP | None = None

    def hand_over(self, name: str, sender: str, address: str, mail: bytes) -> None:
        """Raises DeliveryError; returns when the server has said 250.

        A connection that is lost before the message was sent costs nothing: the message is sent over a
        new one. Servers close connections after a number of messages, or after some time.
        """
        data = b"\r\n" + mail
        data = data.replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
        for is_last in (False, True):
            try:
                return self._converse(sender, address, data)
            except ConnectionLostError as error:
                self._drop()
                if is_last:
                    raise DeliveryError(f"the SMTP server ends the connection: {error}", pause=True) from error
            except DeliveryError:
                raise
            except BaseException:
                # Stopped in mid-conversation, by a time limit perhaps: the next answer would be taken for another's.
                self._drop()
                raise
        return None

    def close(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        with suppress(OSError, smtplib.SMTPException):
            if smtp.sock:
                smtp.sock.settimeout(QUIT_TIMEOUT_SECONDS)
            smtp.quit()
        smtp.close()

    def _converse(self, sender: str, address: str, data: bytes) -> None:
        smtp = self._smtp or self._open()
        code, reply = self._ask(smtp, f"MAIL FROM:<{sender}>")
        if code >= 400:
            # Not this recipient's doing: the server refuses our sender, or everything for now.
            wait = CONFIGURATION_RETRY_SECONDS if code >= 500 else None
            raise DeliveryError(
                f"the SMTP server refuses our sender: {_say(code, reply)}", pause=True, retry_after=wait
            )
        code, reply = self._ask(smtp, f"RCPT TO:<{address}>")
        if code >= 400:
            self._reset(smtp)
            raise _refusal(code, reply, address)
        code, reply = self._ask(smtp, "DATA")
        if code != 354:
            self._reset(smtp)
            raise _refusal(code, reply, address)
        self._send_body(smtp, data, address)

    def _send_body(self, smtp: smtplib.SMTP, data: bytes, address: str) -> None:
        """From here on a lost connection is ambiguous: the server may have taken the message (RFC 1047)."""
        try:
            smtp.send(data)
            code, reply = smtp.getreply()
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise DeliveryError("the connection was lost before the SMTP server answered", ambiguous=True) from error
        if code == CLOSING:
            raise ConnectionLostError(_say(code, reply))
        if code >= 400:
            raise _refusal(code, reply, address)

    def _ask(self, smtp: smtplib.SMTP, command: str) -> tuple[int, bytes]:
        try:
            code, reply = smtp.docmd(command)
        except (OSError, smtplib.SMTPException) as error:
            raise ConnectionLostError(type(error).__name__) from error
        if code in (CLOSING, -1):
            raise ConnectionLostError(_say(code, reply))
        return code, reply

    def _reset(self, smtp: smtplib.SMTP) -> None:
        try:
            self._ask(smtp, "RSET")
        except ConnectionLostError:
            self._drop()

    def _open(self) -> smtplib.SMTP:
        """Raises DeliveryError(pause=True): nobody can be reached until this works."""
        try:
            self._smtp = _connect()
        except smtplib.SMTPAuthenticationError as error:
            raise _misconfigured(f"the SMTP server refuses our sign-in ({error.smtp_code})") from error
        except smtplib.SMTPNotSupportedError as error:
            raise _misconfigured(f"the SMTP server does not offer what EMAIL_URL asks for: {error}") from error
        except ssl.SSLCertVerificationError as error:
            raise _misconfigured(f"the SMTP server's certificate is not trusted: {error.verify_message}") from error
        except smtplib.SMTPResponseException as error:
            reply = error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
            raise DeliveryError(f"the SMTP server is not ready: {_say(error.smtp_code, reply)}", pause=True) from error
        except (OSError, smtplib.SMTPException) as error:
            what = getattr(error, "strerror", None) or type(error).__name__
            raise DeliveryError(f"the SMTP server does not answer: {what}", pause=True) from error
        return self._smtp

    def _drop(self) -> None:
        """Forget a connection without another word to the server."""
        smtp, self._smtp = self._smtp, None
        if smtp:
            smtp.close()


def _connect() -> smtplib.SMTP:
    """A greeted, encrypted (as EMAIL_URL says) and signed-in connection; certificates are checked."""
    options = {"local_hostname": DNS_NAME.get_fqdn(), "timeout": settings.EMAIL_TIMEOUT}
    context = ssl.create_default_context()
    smtp: smtplib.SMTP
    if settings.EMAIL_USE_SSL:
        smtp = smtplib.SMTP_SSL(settings.EMAIL_HOST, settings.EMAIL_PORT, context=context, **options)
    else:
        smtp = smtplib.SMTP(settings.EMAIL_HOST, settings.EMAIL_PORT, **options)
    try:
        smtp.ehlo_or_helo_if_needed()
        if settings.EMAIL_USE_TLS:
            smtp.starttls(context=context)
            smtp.ehlo()
        if settings.EMAIL_HOST_USER:
            smtp.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _refusal(code: int, reply: bytes, address: str) -> DeliveryError:
    """What a 4xx or 5xx answer about one recipient means."""
    found = ENHANCED_CODE.match(reply.decode("latin-1"))
    said = _say(code, reply, address)
    if code >= 500:
        return DeliveryError(said, permanent=True, gone=bool(found and found[1] in UNKNOWN_ADDRESS))
    return DeliveryError(said)


def _misconfigured(message: str) -> DeliveryError:
    return DeliveryError(message, pause=True, retry_after=CONFIGURATION_RETRY_SECONDS)


def _say(code: int, reply: bytes, address: str = "") -> str:
    """The server's words for staff, without the address, so that equal reasons are counted together."""
    text = " ".join(reply.decode("utf-8", "replace").split())
    if address:
        text = re.sub(re.escape(address), "the recipient", text, flags=re.IGNORECASE)
    printable = "".join(character for character in text if character.isprintable())
    return f"{code} {printable}"[:REPLY_LIMIT]
