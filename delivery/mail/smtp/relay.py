"""The server of EMAIL_URL, or an account's own, as channels use it."""

from collections.abc import Iterable, Iterator
from functools import partial

from django.conf import settings

from core.smtp_url import SmtpUrl
from delivery.contract import DeliveryError
from delivery.mail.smtp.connecting import connect
from delivery.mail.smtp.message import Message
from delivery.mail.smtp.pool import Pool


class Relay:
    """Opened by the first message, kept open, opened anew when it was lost."""

    def __init__(self, server: SmtpUrl | None = None, *, timeout: float | None = None) -> None:
        """`server`: None is that of EMAIL_URL. `timeout`: seconds, as the settings have it unless it is given."""
        seconds = settings.EMAIL_TIMEOUT if timeout is None else timeout
        self._pool = Pool(partial(connect, server=server), seconds, settings.EMAIL_CONNECTIONS)

    def carry(self, messages: Iterable[Message]) -> Iterator[tuple[Message, DeliveryError | None]]:
        """Hand over many mails, over several connections at once; each comes back with its error or None,
        in any order."""
        return self._pool.carry(messages)

    def close(self) -> None:
        self._pool.close()
