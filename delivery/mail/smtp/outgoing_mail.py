"""A mail to send by SMTP."""

from dataclasses import dataclass

END = b".\r\n"


@dataclass(slots=True)
class OutgoingMail:
    """One mail to one recipient."""

    key: int
    """The caller's id of it, such as the delivery's."""
    sender: str
    address: str
    """Both are written into commands unchanged: the caller has checked that they are plain ASCII addresses."""
    data: bytes
    """The bytes that follow DATA: see `stuff()`."""
    name: str = ""
    """The file's name where mails are written to files."""
    losses: int = 0
    """How many connections ended before it was sent."""

    def envelope(self) -> bytes:
        return b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (self.sender.encode(), self.address.encode())

    @property
    def mail(self) -> bytes:
        """The mail itself, without the dots that SMTP adds."""
        return (b"\r\n" + self.data)[: -len(END)].replace(b"\r\n.", b"\r\n")[2:]


def stuff(mail: bytes) -> bytes:
    """The bytes that follow DATA for a mail with CRLF line ends: with its dots doubled, and the end line (RFC 5321
    §4.5.2)."""
    return (b"\r\n" + mail).replace(b"\r\n.", b"\r\n..")[2:] + END
