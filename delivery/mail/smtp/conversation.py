"""The bookkeeping of a pipelined SMTP connection (RFC 2920): what to write next, and whose each reply is.

No socket here: bytes out, replies in, so that every reply to every command can be tried in a test.

The body of one message and the envelope of the next leave in one write:

    we    MAIL 1, RCPT 1, DATA        body 1, MAIL 2, RCPT 2, DATA        body 2, …
    they                  250 250 354                         250 250 250 354

That is one round trip for each message. DATA must end a write, because only its answer says whether a body
may follow; a message refused on the way costs itself alone and the next one goes on.
"""

import re
from collections import deque
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from delivery.contract import DeliveryError
from delivery.mail.smtp import meaning
from delivery.mail.smtp.message import Message
from delivery.mail.smtp.replies import READY_FOR_BODY, Reply

# What nearly every write is answered with: the body is taken, and the next envelope too. It is read in one look.
ALL_WELL = re.compile(rb"(?:2\d\d [^\r\n]{0,500}\r\n){3}354 [^\r\n]{0,500}\r\n")


class Fate(Enum):
    """What became of a message on this connection."""

    SENT = auto()
    REFUSED = auto()
    NOT_SENT = auto()
    """The connection ended first: nobody has got it, and another connection may try."""
    UNCLEAR = auto()
    """The connection ended after the body, without an answer: it may have been taken (RFC 1047)."""


class Result(NamedTuple):
    message: Message
    fate: Fate
    error: DeliveryError | None = None
    code: int = 0
    """The reply's, when one settled it."""


class Step(Enum):
    RSET = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    BODY = auto()
    EMPTY_BODY = auto()


class Conversation:
    """One connection after EHLO: send what `write()` gives, hand each reply to `take()` while `is_waiting`.

    Once `over` says why the connection must not be used any more, `end()` settles what was still on it.
    """

    def __init__(self) -> None:
        self.over = ""
        self._expected: deque[tuple[Step, Message]] = deque()
        self._opened: Message | None = None  # its body may follow
        self._refused: Message | None = None  # at MAIL or RCPT; the answer to its DATA is still to come
        self._sender_refused = False
        self._emptied: Message | None = None  # was refused, and yet its body is asked for
        self._owes_reset = False
        self._body_size = 0

    @property
    def is_waiting(self) -> bool:
        return bool(self._expected)

    @property
    def owes_body(self) -> bool:
        """The server waits for a body: something must be written even when no message follows."""
        return self._opened is not None or self._emptied is not None

    def write(self, following: Message | None) -> bytes:
        """The next bytes: the body that is owed, then the envelope of the message that follows, if any.

        Only while nothing is waited for.
        """
        body, envelope = self._write_body(), b""
        self._body_size = len(body)
        if following:
            if self._owes_reset:
                self._owes_reset = False
                self._expected.append((Step.RSET, following))
                envelope = b"RSET\r\n"
            envelope += following.envelope()
            self._expected += ((Step.MAIL, following), (Step.RCPT, following), (Step.DATA, following))
        return body + envelope

    def _write_body(self) -> bytes:
        if opened := self._opened:
            self._opened = None
            self._expected.append((Step.BODY, opened))
            return opened.data
        if emptied := self._emptied:
            self._emptied = None
            self._expected.append((Step.EMPTY_BODY, emptied))
            return b".\r\n"
        return b""

    def take_all(self, data: bytes) -> Result | None:
        """What `data` settles, when it holds the usual replies to a body and an envelope: the same as taking them
        one by one. None when it holds anything else; then nothing has been taken."""
        expected = self._expected
        if len(expected) != 4 or expected[0][0] is not Step.BODY or not ALL_WELL.fullmatch(data):
            return None
        settled, self._opened = expected[0][1], expected[3][1]
        expected.clear()
        return Result(settled, Fate.SENT, code=int(data[:3]))

    def take(self, reply: Reply) -> Result | None:
        """What this reply settles, if anything."""
        if not self._expected:
            self.over = f"the SMTP server ends the connection: {reply.say()}"
            return None
        step, message = self._expected.popleft()
        if reply.is_closing:
            return self._take_closing(step, message, reply)
        match step:
            case Step.MAIL:
                return self._take_mail(message, reply)
            case Step.RCPT:
                return self._take_rcpt(message, reply)
            case Step.DATA:
                return self._take_data(message, reply)
            case Step.BODY:
                return self._take_body(message, reply)
            case Step.RSET if not reply.is_positive:
                self._give_up(step, reply)
        return None  # an empty body is refused as a rule; whatever is said to it changes nothing

    def end(self, reason: str, written: int | None = None) -> Iterator[Result]:
        """The connection is gone: the fate of each message that was still on it.

        `written` is how many bytes of the last write left, None for all of them: a body whose end
        never left was not taken.
        """
        self.over = reason = self.over or reason
        body_left = written is None or written >= self._body_size
        if self._opened:
            yield not_sent(self._opened, reason)
        for step, message in self._expected:
            if step is Step.BODY and body_left:
                yield Result(message, Fate.UNCLEAR, DeliveryError(reason, ambiguous=True))
            elif step in (Step.BODY, Step.DATA) and message is not self._refused:
                yield not_sent(message, reason)
        self._opened = None
        self._expected.clear()

    def _take_closing(self, step: Step, message: Message, reply: Reply) -> Result | None:
        """421 may answer anything. In answer to a body it says that the body was not taken."""
        self.over = f"the SMTP server ends the connection: {reply.say()}"
        if step in (Step.DATA, Step.BODY) and message is not self._refused:
            return not_sent(message, self.over, reply.code)
        return None

    def _take_mail(self, message: Message, reply: Reply) -> Result | None:
        if reply.is_positive:
            return None
        if not reply.is_refusal:
            self._give_up(Step.MAIL, reply)
            return None
        self._refused, self._sender_refused = message, True
        return Result(message, Fate.REFUSED, meaning.sender_refusal(reply), reply.code)

    def _take_rcpt(self, message: Message, reply: Reply) -> Result | None:
        if message is self._refused or reply.is_positive:
            return None
        if not reply.is_refusal:
            self._give_up(Step.RCPT, reply)
            return None
        self._refused, self._sender_refused = message, False
        return Result(message, Fate.REFUSED, meaning.refusal(reply, message.address), reply.code)

    def _take_data(self, message: Message, reply: Reply) -> Result | None:
        was_refused, self._refused = message is self._refused, None
        if reply.code == READY_FOR_BODY:
            self._open_body(message, was_refused=was_refused)
            return None
        if not reply.is_refusal:
            self._give_up(Step.DATA, reply)
            return None if was_refused else not_sent(message, self.over, reply.code)
        self._owes_reset = True
        if was_refused:
            return None
        return Result(message, Fate.REFUSED, meaning.refusal(reply, message.address), reply.code)

    def _open_body(self, message: Message, *, was_refused: bool) -> None:
        """A server may ask for the body of a message that it refused; a lone dot ends that (RFC 2920 §3.1)."""
        if not was_refused:
            self._opened = message
        elif self._sender_refused:
            # It may have kept the recipient: say no more to it, not even a dot.
            self.over = "the SMTP server refuses our sender and goes on"
        else:
            self._emptied = message

    def _take_body(self, message: Message, reply: Reply) -> Result:
        if reply.is_positive:
            return Result(message, Fate.SENT, code=reply.code)
        if reply.is_refusal:
            return Result(message, Fate.REFUSED, meaning.refusal(reply, message.address), reply.code)
        self._give_up(Step.BODY, reply)
        return Result(message, Fate.UNCLEAR, DeliveryError(self.over, ambiguous=True), reply.code)

    def _give_up(self, step: Step, reply: Reply) -> None:
        """An answer that cannot belong to its command: nothing after it can be trusted. `end()` settles the rest."""
        self.over = f"the SMTP server answers {step.name} with {reply.say()}"


def not_sent(message: Message, reason: str, code: int = 0) -> Result:
    return Result(message, Fate.NOT_SENT, DeliveryError(reason, pause=True), code)
