"""A mail on its way."""

from dataclasses import dataclass


@dataclass(slots=True)
class Message:
    """One mail to one recipient."""

    key: int
    """The caller's, such as the delivery's id."""
    sender: str
    address: str
    """Both as they go into a command: the caller has made sure that they are plain ASCII addresses."""
    mail: bytes
    """With CRLF line ends, not dot-stuffed."""
    name: str = ""
    """For transports that keep mails as files."""
    losses: int = 0
    """How many connections ended before it was handed over."""

    def envelope(self) -> bytes:
        return b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (self.sender.encode(), self.address.encode())

    def data(self) -> bytes:
        """The mail with its dots stuffed and the line that ends it (RFC 5321 §4.5.2)."""
        stuffed = self.mail.replace(b"\r\n.", b"\r\n..")
        first = b"." if stuffed.startswith(b".") else b""
        return b"%s%s.\r\n" % (first, stuffed)
