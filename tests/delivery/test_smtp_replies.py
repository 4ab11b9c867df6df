"""Bytes from an SMTP server become replies, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.mail.smtp.replies import LINE_LIMIT, LINES_LIMIT, NotSmtpError, Reply, ReplyReader

pytestmark = pytest.mark.once


def test_replies_of_several_lines_are_one_reply():
    assert list(ReplyReader().feed(b"250-first\r\n250-second\r\n250 last\r\n")) == [Reply(250, b"first second last")]


def test_several_replies_in_one_packet_stay_apart():
    replies = ReplyReader().feed(b"250 2.1.0 Ok\r\n550-5.1.1 No\r\n550 such user\r\n354 Go\r\n")
    assert [reply.code for reply in replies] == [250, 550, 354]


@pytest.mark.parametrize("line", [b"250\r\n", b"250 \r\n", b"250 ok\n", b"250 \xff\xfe\r\n"])
def test_sloppy_but_clear_lines_are_replies(line: bytes):
    assert [reply.code for reply in ReplyReader().feed(line)] == [250]


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"25 ok\r\n",
        b"2500 ok\r\n",
        b"999 ok\r\n",
        b"150 ok\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"250-one\r\n550 other\r\n",
        b"250 " + b"x" * LINE_LIMIT + b"\r\n",
        b"x" * (LINE_LIMIT + 1),
        b"250-more\r\n" * (LINES_LIMIT + 1),
    ],
)
def test_what_is_no_reply_is_refused(data: bytes):
    with pytest.raises(NotSmtpError):
        list(ReplyReader().feed(data))


def test_the_replies_before_the_nonsense_count():
    replies = ReplyReader().feed(b"250 taken\r\nwhat?\r\n")
    assert next(replies) == Reply(250, b"taken")
    with pytest.raises(NotSmtpError):
        next(replies)


@given(st.lists(st.sampled_from([b"250 ok\r\n", b"354 go\r\n", b"550-a\r\n550 b\r\n"]), max_size=6), st.data())
def test_it_does_not_matter_how_the_network_cuts_the_bytes(replies: list[bytes], data: st.DataObject):
    whole = b"".join(replies)
    reader, found, rest = ReplyReader(), [], whole
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        found += reader.feed(rest[:cut])
        rest = rest[cut:]
    assert found == list(ReplyReader().feed(whole))
    assert reader.is_empty


def test_words_for_staff_hold_no_address_and_no_control_characters():
    reply = Reply(550, b"5.1.1 <Ann@Example.com>:\x1b[31m no such user\x00")
    assert reply.say("ann@example.com") == "550 5.1.1 <the recipient>:[31m no such user"
