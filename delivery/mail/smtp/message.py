"""A mail on its way."""

from dataclasses import dataclass

END = b".\r\n"


@dataclass(slots=True)
class Message:
    """One mail to one recipient."""

    key: int
    """The caller's, such as the delivery's id."""
    sender: str
    address: str
    """Both as they go into a command: the caller has made sure that they are plain ASCII addresses."""
    data: bytes
    """As it follows DATA: see `stuff()`."""
    name: str = ""
    """For transports that keep mails as files."""
    losses: int = 0
    """How many connections ended before it was handed over."""

    def envelope(self) -> bytes:
        return b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (self.sender.encode(), self.address.encode())

    @property
    def mail(self) -> bytes:
        """As its reader gets it."""
        return (b"\r\n" + self.data)[: -len(END)].replace(b"\r\n.", b"\r\n")[2:]


def stuff(mail: bytes) -> bytes:
    """A mail with CRLF line ends as it follows DATA: its dots stuffed, the line that ends it at the end (RFC 5321 §4.5.2)."""
    return (b"\r\n" + mail).replace(b"\r\n.", b"\r\n..")[2:] + END
