"""The state of a pipelined SMTP connection (RFC 2920): what to write next, and which command each reply answers.

It uses no socket: it gives bytes and takes replies, so that tests can try every reply to every command.

The body of one message and the envelope of the next leave in one write:

    we    MAIL 1, RCPT 1, DATA        body 1, MAIL 2, RCPT 2, DATA        body 2, …
    they                  250 250 354                         250 250 250 354

That is one round trip for each message. DATA must end a write, because only its answer says whether a body may follow.
A refused message does not affect the next one.
"""

import re
from collections import deque
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from delivery.contract import DeliveryError
from delivery.mail.smtp import meaning
from delivery.mail.smtp.outgoing_mail import OutgoingMail
from delivery.mail.smtp.replies import READY_FOR_BODY, Reply

# The usual answer to a write: the body and the next envelope are accepted. One match reads all four replies.
ALL_ACCEPTED = re.compile(rb"(?:2\d\d [^\r\n]{0,500}\r\n){3}354 [^\r\n]{0,500}\r\n")


class ResultKind(Enum):
    """What happened to a message on this connection."""

    SENT = auto()
    REFUSED = auto()
    NOT_SENT = auto()
    """The connection ended before the body: another connection may try."""
    UNCLEAR = auto()
    """The connection ended after the body without an answer: the server may have accepted it (RFC 1047)."""


class SmtpResult(NamedTuple):
    message: OutgoingMail
    kind: ResultKind
    error: DeliveryError | None = None
    code: int = 0
    """The code of the reply that decided it; 0 when no reply did."""


class SmtpStep(Enum):
    RSET = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    BODY = auto()
    EMPTY_BODY = auto()


class Conversation:
    """One connection after EHLO: send the bytes of `write()`, and pass each reply to `take()` while `is_waiting`.

    When the connection must not be used any more, `over` says why, and `end()` gives the results of the messages that
    have none yet.
    """

    def __init__(self) -> None:
        self.over = ""
        self._expected: deque[tuple[SmtpStep, OutgoingMail]] = deque()
        self._opened: OutgoingMail | None = None  # its body may follow
        self._refused: OutgoingMail | None = None  # refused at MAIL or RCPT, before the answer to its DATA
        self._sender_refused = False
        self._emptied: OutgoingMail | None = None  # refused, but the server waits for its body
        self._owes_reset = False
        self._body_size = 0

    @property
    def is_waiting(self) -> bool:
        return bool(self._expected)

    @property
    def owes_body(self) -> bool:
        """Whether the server waits for a body, so that something must be written even when no message follows."""
        return self._opened is not None or self._emptied is not None

    def write(self, following: OutgoingMail | None) -> bytes:
        """The next bytes: the body that is owed, then the envelope of the following message, if any.

        Must only be called while `is_waiting` is false.
        """
        body, envelope = self._write_body(), b""
        self._body_size = len(body)
        if following:
            if self._owes_reset:
                self._owes_reset = False
                self._expected.append((SmtpStep.RSET, following))
                envelope = b"RSET\r\n"
            envelope += following.envelope()
            self._expected += ((SmtpStep.MAIL, following), (SmtpStep.RCPT, following), (SmtpStep.DATA, following))
        return body + envelope

    def _write_body(self) -> bytes:
        if opened := self._opened:
            self._opened = None
            self._expected.append((SmtpStep.BODY, opened))
            return opened.data
        if emptied := self._emptied:
            self._emptied = None
            self._expected.append((SmtpStep.EMPTY_BODY, emptied))
            return b".\r\n"
        return b""

    def take_all(self, data: bytes) -> SmtpResult | None:
        """Take four replies at once if `data` is exactly the usual answer to a body and an envelope.

        Returns the body's result, as `take()` would. Returns None for any other data, without taking anything.
        """
        expected = self._expected
        if len(expected) != 4 or expected[0][0] is not SmtpStep.BODY or not ALL_ACCEPTED.fullmatch(data):
            return None
        sent, self._opened = expected[0][1], expected[3][1]
        expected.clear()
        return SmtpResult(sent, ResultKind.SENT, code=int(data[:3]))

    def take(self, reply: Reply) -> SmtpResult | None:
        """Take one reply; returns the result of a message if the reply decides it."""
        if not self._expected:
            self.over = f"the SMTP server ends the connection: {reply.say()}"
            return None
        step, message = self._expected.popleft()
        if reply.is_closing:
            return self._take_closing(step, message, reply)
        match step:
            case SmtpStep.MAIL:
                return self._take_mail(message, reply)
            case SmtpStep.RCPT:
                return self._take_rcpt(message, reply)
            case SmtpStep.DATA:
                return self._take_data(message, reply)
            case SmtpStep.BODY:
                return self._take_body(message, reply)
            case SmtpStep.RSET if not reply.is_positive:
                self._give_up(step, reply)
        return None  # the answer to an empty body does not matter: its message was refused before

    def end(self, reason: str, written: int | None = None) -> Iterator[SmtpResult]:
        """End the conversation; yields the result of each message that has none yet.

        `written`: how many bytes of the last write were sent, None for all. A body that was not sent to its end was not
        accepted.
        """
        self.over = reason = self.over or reason
        body_left = written is None or written >= self._body_size
        if self._opened:
            yield not_sent(self._opened, reason)
        for step, message in self._expected:
            if step is SmtpStep.BODY and body_left:
                yield SmtpResult(message, ResultKind.UNCLEAR, DeliveryError(reason, ambiguous=True))
            elif step in (SmtpStep.BODY, SmtpStep.DATA) and message is not self._refused:
                yield not_sent(message, reason)
        self._opened = None
        self._expected.clear()

    def _take_closing(self, step: SmtpStep, message: OutgoingMail, reply: Reply) -> SmtpResult | None:
        """421 may answer any command. In answer to a body it means that the body was not accepted."""
        self.over = f"the SMTP server ends the connection: {reply.say()}"
        if step in (SmtpStep.DATA, SmtpStep.BODY) and message is not self._refused:
            return not_sent(message, self.over, reply.code)
        return None

    def _take_mail(self, message: OutgoingMail, reply: Reply) -> SmtpResult | None:
        if reply.is_positive:
            return None
        if not reply.is_refusal:
            self._give_up(SmtpStep.MAIL, reply)
            return None
        self._refused, self._sender_refused = message, True
        return SmtpResult(message, ResultKind.REFUSED, meaning.sender_refusal(reply), reply.code)

    def _take_rcpt(self, message: OutgoingMail, reply: Reply) -> SmtpResult | None:
        if message is self._refused or reply.is_positive:
            return None
        if not reply.is_refusal:
            self._give_up(SmtpStep.RCPT, reply)
            return None
        self._refused, self._sender_refused = message, False
        return SmtpResult(message, ResultKind.REFUSED, meaning.refusal(reply, message.address), reply.code)

    def _take_data(self, message: OutgoingMail, reply: Reply) -> SmtpResult | None:
        was_refused, self._refused = message is self._refused, None
        if reply.code == READY_FOR_BODY:
            self._open_body(message, was_refused=was_refused)
            return None
        if not reply.is_refusal:
            self._give_up(SmtpStep.DATA, reply)
            return None if was_refused else not_sent(message, self.over, reply.code)
        self._owes_reset = True
        if was_refused:
            return None
        return SmtpResult(message, ResultKind.REFUSED, meaning.refusal(reply, message.address), reply.code)

    def _open_body(self, message: OutgoingMail, *, was_refused: bool) -> None:
        """A server may ask for the body of a refused message; a single dot ends that body (RFC 2920 §3.1)."""
        if not was_refused:
            self._opened = message
        elif self._sender_refused:
            # The server may have kept the recipient, so even an empty body could be delivered. End the connection.
            self.over = "the SMTP server refuses our sender but asks for the message"
        else:
            self._emptied = message

    def _take_body(self, message: OutgoingMail, reply: Reply) -> SmtpResult:
        if reply.is_positive:
            return SmtpResult(message, ResultKind.SENT, code=reply.code)
        if reply.is_refusal:
            return SmtpResult(message, ResultKind.REFUSED, meaning.refusal(reply, message.address), reply.code)
        self._give_up(SmtpStep.BODY, reply)
        return SmtpResult(message, ResultKind.UNCLEAR, DeliveryError(self.over, ambiguous=True), reply.code)

    def _give_up(self, step: SmtpStep, reply: Reply) -> None:
        """End the connection after an answer that does not fit its command: later ones could be matched wrongly."""
        self.over = f"the SMTP server answers {step.name} with {reply.say()}"


def not_sent(message: OutgoingMail, reason: str, code: int = 0) -> SmtpResult:
    return SmtpResult(message, ResultKind.NOT_SENT, DeliveryError(reason, pause=True), code)
