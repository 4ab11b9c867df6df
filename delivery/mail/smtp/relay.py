"""An SMTP server to send by: that of EMAIL_URL, or an account's own."""

from collections.abc import Iterable, Iterator
from functools import partial

from django.conf import settings

from core.smtp_url import SmtpUrl
from delivery.contract import DeliveryError
from delivery.mail.smtp.connecting import connect
from delivery.mail.smtp.outgoing_mail import OutgoingMail
from delivery.mail.smtp.pool import Pool


class Relay:
    """Connects for the first message, keeps the connections open, and reconnects when they are lost."""

    def __init__(self, server: SmtpUrl | None = None, *, timeout: float | None = None) -> None:
        """`server`: None is that of EMAIL_URL. `timeout`: seconds; None is EMAIL_TIMEOUT."""
        seconds = settings.EMAIL_TIMEOUT if timeout is None else timeout
        self._pool = Pool(partial(connect, server=server), seconds, settings.EMAIL_CONNECTIONS)

    def send_all(self, messages: Iterable[OutgoingMail]) -> Iterator[tuple[OutgoingMail, DeliveryError | None]]:
        """Send many mails over several connections; yields each with its error or None, in any order."""
        return self._pool.send_all(messages)

    def close(self) -> None:
        self._pool.close()
