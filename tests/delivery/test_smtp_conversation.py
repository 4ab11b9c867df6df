"""Whose each reply is: every reply to every command of a pipelined connection, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.mail.smtp.conversation import Conversation, ResultKind, SmtpResult
from delivery.mail.smtp.outgoing_mail import OutgoingMail, stuff
from delivery.mail.smtp.replies import Reply, ReplyReader

pytestmark = pytest.mark.once
OK, GO = Reply(250, b"ok"), Reply(354, b"go")


def message(key: int) -> OutgoingMail:
    return OutgoingMail(key, "status@acme.example", f"p{key}@example.com", stuff(b"Subject: hi\r\n\r\n%d\r\n" % key))


def feed(conversation: Conversation, *replies: Reply) -> list[tuple[int, ResultKind]]:
    return kinds(filter(None, [conversation.take(reply) for reply in replies]))


def kinds(results: object) -> list[tuple[int, ResultKind]]:
    return [(result.message.key, result.kind) for result in results]


def test_a_body_and_the_next_envelope_leave_in_one_write():
    conversation = Conversation()
    assert conversation.write(message(1)) == (
        b"MAIL FROM:<status@acme.example>\r\nRCPT TO:<p1@example.com>\r\nDATA\r\n"
    )
    assert feed(conversation, OK, OK, GO) == []
    assert conversation.write(message(2)) == (
        b"Subject: hi\r\n\r\n1\r\n.\r\nMAIL FROM:<status@acme.example>\r\nRCPT TO:<p2@example.com>\r\nDATA\r\n"
    )
    assert feed(conversation, OK) == [(1, ResultKind.SENT)]
    assert feed(conversation, OK, OK, GO) == []
    assert conversation.owes_body
    conversation.write(None)
    assert feed(conversation, OK) == [(2, ResultKind.SENT)]
    assert not conversation.owes_body
    assert not conversation.is_waiting


def test_dots_at_the_start_of_lines_are_doubled():
    mail = b".a\r\n.\r\nb.\r\n..\r\n"
    assert stuff(mail) == b"..a\r\n..\r\nb.\r\n...\r\n.\r\n"
    assert OutgoingMail(1, "a@b", "c@d", stuff(mail)).mail == mail


def test_a_refused_recipient_costs_itself_alone_and_the_next_begins_anew():
    conversation = Conversation()
    conversation.write(message(1))
    feed(conversation, OK, OK, GO)
    conversation.write(message(2))
    replies = [OK, OK, Reply(550, b"5.1.1 no such user"), Reply(554, b"no valid recipients")]
    assert feed(conversation, *replies) == [(1, ResultKind.SENT), (2, ResultKind.REFUSED)]
    assert not conversation.owes_body
    assert conversation.write(message(3)).startswith(b"RSET\r\nMAIL FROM")
    assert feed(conversation, OK, OK, OK, GO) == []
    conversation.write(None)
    assert feed(conversation, OK) == [(3, ResultKind.SENT)]


def test_a_server_that_wants_the_body_of_a_refused_message_gets_a_lone_dot():
    conversation = Conversation()
    conversation.write(message(1))
    assert feed(conversation, OK, Reply(550), GO) == [(1, ResultKind.REFUSED)]
    assert conversation.owes_body
    assert conversation.write(message(2)).startswith(b".\r\nMAIL FROM")
    assert feed(conversation, Reply(554), OK, OK, GO) == []
    conversation.write(None)
    assert feed(conversation, OK) == [(2, ResultKind.SENT)]


def test_a_server_that_refused_the_sender_and_goes_on_gets_not_even_a_dot():
    conversation = Conversation()
    conversation.write(message(1))
    assert feed(conversation, Reply(451), OK, GO) == [(1, ResultKind.REFUSED)]
    assert conversation.over
    assert not conversation.owes_body
    assert list(conversation.end("gone")) == []


def test_a_refused_sender_is_not_the_recipients_doing():
    conversation = Conversation()
    conversation.write(message(1))
    result = conversation.take(Reply(550, b"5.7.1 not you"))
    assert result
    assert result.error
    assert result.error.pause
    assert feed(conversation, Reply(503), Reply(503)) == []
    assert not conversation.over


def test_a_closing_answer_to_a_body_says_that_nobody_got_it():
    conversation = Conversation()
    conversation.write(message(1))
    feed(conversation, OK, OK, GO)
    conversation.write(message(2))
    assert feed(conversation, Reply(421)) == [(1, ResultKind.NOT_SENT)]
    assert kinds(conversation.end("")) == [(2, ResultKind.NOT_SENT)]


def test_a_connection_lost_after_a_body_leaves_that_one_unclear():
    conversation = Conversation()
    conversation.write(message(1))
    feed(conversation, OK, OK, GO)
    conversation.write(message(2))
    assert kinds(conversation.end("gone")) == [(1, ResultKind.UNCLEAR), (2, ResultKind.NOT_SENT)]


def test_a_body_whose_end_never_left_was_not_taken():
    conversation = Conversation()
    conversation.write(message(1))
    feed(conversation, OK, OK, GO)
    body = len(message(1).data)
    conversation.write(message(2))
    assert kinds(conversation.end("gone", body - 1)) == [(1, ResultKind.NOT_SENT), (2, ResultKind.NOT_SENT)]


def test_a_reply_to_no_command_ends_the_conversation():
    conversation = Conversation()
    conversation.write(message(1))
    feed(conversation, OK, OK, GO, OK)
    assert conversation.over
    assert kinds(conversation.end("")) == [(1, ResultKind.NOT_SENT)]


CODES = st.sampled_from([220, 250, 251, 354, 334, 421, 450, 451, 452, 500, 503, 550, 552, 554])


@given(st.lists(CODES, max_size=40), st.integers(1, 6), st.booleans())
def test_whatever_a_server_says_each_message_has_one_fate(codes: list[int], count: int, partly: bool):
    """And a message is SENT only by a positive answer that came after its own body had left."""
    conversation, waiting, bodies = Conversation(), [message(key) for key in range(count)], []
    results: list[SmtpResult] = []
    pending, replies = list(waiting), iter(codes)
    while not conversation.over and (pending or conversation.owes_body):
        following = pending.pop(0) if pending else None
        written = conversation.write(following)
        bodies += [each.key for each in waiting if each.data in written]
        while conversation.is_waiting and not conversation.over:
            code = next(replies, None)
            if code is None:
                conversation.over = "lost"
            elif result := conversation.take(Reply(code)):
                results.append(result)
    results += conversation.end("lost", 3 if partly else None)
    begun = [each.key for each in waiting if each not in pending]
    assert sorted(result.message.key for result in results) == begun
    for result in results:
        assert result.kind is ResultKind.SENT or result.error
        if result.kind in (ResultKind.SENT, ResultKind.UNCLEAR):
            assert result.message.key in bodies


def half_way() -> Conversation:
    """The body of the first message and the envelope of the second are written, nothing is answered."""
    conversation = Conversation()
    conversation.write(message(1))
    feed(conversation, OK, OK, GO)
    conversation.write(message(2))
    return conversation


@pytest.mark.parametrize(
    "data", [b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", b"250 2.0.0 \r\n251 x\r\n252 y\r\n354 \r\n"]
)
def test_the_usual_replies_taken_at_once_do_what_they_do_one_by_one(data: bytes):
    at_once, in_turn = half_way(), half_way()

    result = at_once.take_all(data)

    results = [each for reply in ReplyReader().feed(data) if (each := in_turn.take(reply))]
    assert result
    assert [(result.message.key, result.kind, result.code)] == [
        (each.message.key, each.kind, each.code) for each in results
    ]
    assert not at_once.is_waiting
    assert not in_turn.is_waiting
    assert at_once.write(None) == in_turn.write(None) == message(2).data
    assert feed(at_once, OK) == feed(in_turn, OK) == [(2, ResultKind.SENT)]


@pytest.mark.parametrize(
    "data",
    [
        b"250 ok\r\n",
        b"250 ok\r\n250 ok\r\n250 ok\r\n",
        b"250 ok\r\n250 ok\r\n250 ok\r\n354 go",
        b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 more\r\n",
        b"250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n",
        b"450 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n",
        b"250 ok\r\n421 bye\r\n250 ok\r\n354 go\r\n",
        b"250-ok\r\n250 ok\r\n250 ok\r\n354 go\r\n",
        b"250 ok\r\n250 ok\r\n354 go\r\n250 ok\r\n",
        b"250 ok\r\n250 ok\r\n250 ok\r\n250 go\r\n",
    ],
)
def test_replies_that_are_not_the_usual_ones_are_left_to_be_taken_one_by_one(data: bytes):
    conversation = half_way()

    assert conversation.take_all(data) is None
    assert feed(conversation, OK, OK, OK, GO) == [(1, ResultKind.SENT)]


def test_the_usual_replies_at_another_moment_are_left_to_be_taken_one_by_one():
    usual = b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"
    fresh, after_refusal = Conversation(), Conversation()
    assert fresh.take_all(usual) is None
    fresh.write(message(1))
    assert fresh.take_all(usual) is None

    after_refusal.write(message(1))
    feed(after_refusal, OK, Reply(550, b"no"), Reply(554, b"none"))
    after_refusal.write(message(2))
    assert after_refusal.take_all(usual) is None, "RSET comes first, not a body"
    assert feed(after_refusal, OK, OK, OK, GO) == []
