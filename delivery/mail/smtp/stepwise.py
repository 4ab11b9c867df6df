"""A server without PIPELINING: smtplib, one command at a time over one connection."""

import smtplib
from collections.abc import Callable
from contextlib import suppress

from delivery.contract import DeliveryError
from delivery.mail.smtp import meaning
from delivery.mail.smtp.message import Message
from delivery.mail.smtp.replies import READY_FOR_BODY, Reply

QUIT_TIMEOUT_SECONDS = 2.0


class ConnectionLostError(Exception):
    """The connection ended before the message was handed over; another one may work."""


class Stepwise:
    """Opened anew when the connection was lost: servers close it after a number of messages, or some time."""

    def __init__(self, smtp: smtplib.SMTP, connect: Callable[[], smtplib.SMTP]) -> None:
        self._smtp: smtplib.SMTP | None = smtp
        self._connect = connect

    def hand_over(self, message: Message) -> DeliveryError | None:
        """None when the server has said 250; else why not."""
        try:
            self._try_twice(message)
        except DeliveryError as error:
            return error
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

    def _try_twice(self, message: Message) -> None:
        for is_last in (False, True):
            try:
                return self._converse(message)
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

    def _converse(self, message: Message) -> None:
        smtp = self._smtp = self._smtp or self._connect()
        reply = self._ask(smtp, f"MAIL FROM:<{message.sender}>")
        if not reply.is_positive:
            self._reset(smtp)
            raise meaning.sender_refusal(reply)
        reply = self._ask(smtp, f"RCPT TO:<{message.address}>")
        if not reply.is_positive:
            self._reset(smtp)
            raise meaning.refusal(reply, message.address)
        reply = self._ask(smtp, "DATA")
        if reply.code != READY_FOR_BODY:
            self._reset(smtp)
            raise meaning.refusal(reply, message.address)
        self._send_body(smtp, message)

    def _send_body(self, smtp: smtplib.SMTP, message: Message) -> None:
        """From here on a lost connection is ambiguous: the server may have taken the message (RFC 1047)."""
        try:
            smtp.send(message.data)
            reply = Reply(*smtp.getreply())
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise DeliveryError("the connection was lost before the SMTP server answered", ambiguous=True) from error
        if reply.is_closing:
            raise ConnectionLostError(reply.say())
        if not reply.is_positive and not reply.is_refusal:
            self._drop()
            raise DeliveryError(f"the SMTP server answers a message with {reply.say()}", ambiguous=True)
        if reply.is_refusal:
            raise meaning.refusal(reply, message.address)

    def _ask(self, smtp: smtplib.SMTP, command: str) -> Reply:
        """Raises ConnectionLostError, also for an answer that no command has."""
        try:
            reply = Reply(*smtp.docmd(command))
        except (OSError, smtplib.SMTPException) as error:
            raise ConnectionLostError(type(error).__name__) from error
        is_expected = reply.is_positive or reply.is_refusal or (command == "DATA" and reply.code == READY_FOR_BODY)
        if reply.is_closing or not is_expected or (command == "DATA" and reply.is_positive):
            raise ConnectionLostError(reply.say())
        return reply

    def _reset(self, smtp: smtplib.SMTP) -> None:
        try:
            self._ask(smtp, "RSET")
        except ConnectionLostError:
            self._drop()

    def _drop(self) -> None:
        """Forget a connection without another word to the server."""
        smtp, self._smtp = self._smtp, None
        if smtp:
            smtp.close()
