"""Scripts for the scripted mail server: what servers say that they should not, and when."""

import time

from tests.delivery.scripted_smtp import CloseError, CloseInsideReplyError, Moment, Script

REPLIES = {
    "421": b"421 4.3.2 Shutting down\r\n",
    "450": b"450 4.2.0 Try later\r\n",
    "451": b"451 4.3.0 Trouble here\r\n",
    "452": b"452 4.3.1 Full\r\n",
    "500": b"500 What?\r\n",
    "503": b"503 Bad sequence\r\n",
    "550": b"550 5.1.1 No such user\r\n",
    "552": b"552 5.3.4 Too big\r\n",
    "554 in lines": b"554-5.7.1 No\r\n554-5.7.1 means\r\n554 5.7.1 no\r\n",
    "354": b"354 Go ahead\r\n",
    "334": b"334 \r\n",
    "garbage": b"\x00\xffwhat is this\r\n",
    "web server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "endless line": b"2" * 5_000,
    "closes": CloseError,
    "closes inside a reply": CloseInsideReplyError,
}
TAKES_NOTHING = {"421", "450", "451", "452", "500", "503", "550", "552", "554 in lines"}


def once_for(step: str, address: str, answer: bytes | type[Exception]) -> Script:
    """The wrong answer at this step for this recipient, the first time. Before RCPT a server does not know whose
    turn it is: there the third time counts."""

    def script(moment: Moment) -> bytes | None:
        is_it = moment.nth == 3 if step in ("mail", "rset") else moment.address == address and moment.nth == 1
        if moment.step != step or not is_it:
            return None
        if isinstance(answer, bytes):
            return answer
        raise answer

    return script


def slow(seconds: float) -> Script:
    def script(moment: Moment) -> bytes | None:
        if moment.step == "body":
            time.sleep(seconds)
        return None

    return script
