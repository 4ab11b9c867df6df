"""The server of EMAIL_URL, as channels use it."""

from collections.abc import Iterable, Iterator

from django.conf import settings

from delivery.contract import DeliveryError
from delivery.mail.smtp.connecting import connect
from delivery.mail.smtp.message import Message
from delivery.mail.smtp.pool import Pool


class Relay:
    """Opened by the first message, kept open, opened anew when it was lost."""

    def __init__(self) -> None:
        self._pool = Pool(connect, settings.EMAIL_TIMEOUT, settings.EMAIL_CONNECTIONS)

    def carry(self, messages: Iterable[Message]) -> Iterator[tuple[Message, DeliveryError | None]]:
        """Hand over many mails, over several connections at once; each comes back with its error or None,
        in any order."""
        return self._pool.carry(messages)

    def close(self) -> None:
        self._pool.close()
