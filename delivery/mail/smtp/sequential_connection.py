"""A connection to a server without PIPELINING: smtplib sends one command at a time."""

import smtplib
from collections.abc import Callable
from contextlib import suppress

from delivery.contract import DeliveryError
from delivery.mail.smtp import meaning
from delivery.mail.smtp.outgoing_mail import OutgoingMail
from delivery.mail.smtp.replies import READY_FOR_BODY, Reply

QUIT_TIMEOUT_SECONDS = 2.0


class ConnectionLostError(Exception):
    """The connection ended before the message was sent; another connection may work."""


class SequentialConnection:
    """Reconnects when the connection is lost, since servers close it after some messages or some time."""

    def __init__(self, smtp: smtplib.SMTP, connect: Callable[[], smtplib.SMTP]) -> None:
        self._smtp: smtplib.SMTP | None = smtp
        self._connect = connect

    def hand_over(self, message: OutgoingMail) -> DeliveryError | None:
        """Send one message; returns None when the server accepted it, else the error."""
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

    def _try_twice(self, message: OutgoingMail) -> None:
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
                # Interrupted between command and answer, for example by a time limit: the next answer would be matched
                # to the wrong command.
                self._drop()
                raise
        return None

    def _converse(self, message: OutgoingMail) -> None:
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

    def _send_body(self, smtp: smtplib.SMTP, message: OutgoingMail) -> None:
        """Send the body. A connection lost from here on is ambiguous: the server may have accepted it (RFC 1047)."""
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
        """Send a command and return its reply. Raises ConnectionLostError, also for a reply that does not fit."""
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
        """Close the connection without QUIT."""
        smtp, self._smtp = self._smtp, None
        if smtp:
            smtp.close()
