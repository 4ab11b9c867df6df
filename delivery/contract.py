"""What a channel is: it turns a notice into one message and hands it over. It never queries incidents
and never retries by itself; when and whether to try again is decided by delivery/ledger/retry.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import ClassVar, NamedTuple

from delivery.models import Account, Notice


class DeliveryError(Exception):
    """Why a message did not go out. `message` is shown to staff: no secrets, no address.

    permanent    trying again cannot help this recipient
    gone         permanent, and the address itself does not exist: never write to it again
    ambiguous    the other side may have taken it: no answer came
    skip         not sent on purpose, such as an account that is not connected
    pause        nobody on this channel (or account) can be reached now: the attempt does not count
    retry_after  seconds the other side asked us to wait
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        gone: bool = False,
        ambiguous: bool = False,
        skip: bool = False,
        pause: bool = False,
        retry_after: float | None = None,
    ) -> None:
        # It may repeat the other side's words; PostgreSQL refuses a NUL, and the outcome would never be recorded.
        super().__init__("".join(character for character in message if character.isprintable()))
        self.permanent = permanent or gone
        self.gone = gone
        self.ambiguous = ambiguous
        self.skip = skip
        self.pause = pause
        self.retry_after = retry_after


class Recipient(NamedTuple):
    """One claimed delivery, as far as a channel needs it."""

    delivery_id: int
    address: str
    subscriber_code: str = ""
    account: Account | None = None
    attempts: int = 1
    ambiguous: bool = False
    """An earlier attempt ended without an answer."""


class Outcome(NamedTuple):
    """What became of one delivery: handed over when `error` is None."""

    delivery_id: int
    error: DeliveryError | None = None
    remote_id: str = ""


class Channel:
    """One kind of channel, used by one sender at a time and closed when that sender is done."""

    for_subscribers: ClassVar[bool] = False
    for_accounts: ClassVar[bool] = False
    # What an account needs before it can post: name and label. Values are kept encrypted, never shown.
    credentials: ClassVar[Mapping[str, str]] = {}
    batch_size: ClassVar[int] = 10
    max_attempts: ClassVar[int] = 8
    max_age: ClassVar[timedelta] = timedelta(hours=24)
    # After an attempt without an answer: try again (the recipient may see it twice), or leave it to staff.
    resend_ambiguous: ClassVar[bool] = True

    @classmethod
    def where(cls) -> str:
        """A sentence for the receipt when messages do not go where one would expect; else ""."""
        return ""

    @classmethod
    def rate(cls) -> int:
        """Messages a second that all workers together may hand over; 0 for no limit."""
        return 0

    @classmethod
    def domain_rates(cls) -> Mapping[str, int]:
        """The same for the addresses of one domain, by domain; "*" is every other one, {} no limit."""
        return {}

    @classmethod
    def is_connected(cls, account: Account) -> bool:
        return all(account.credentials.get(name) for name in cls.credentials)

    def send(self, notice: Notice, recipient: Recipient) -> str:
        """Hand over one message and return the other side's id for it, "" when it has none.

        Raises DeliveryError.
        """
        raise NotImplementedError

    def send_many(self, notice: Notice, recipients: Iterable[Recipient]) -> Iterator[Outcome]:
        """One outcome for each recipient taken from the iterable, which ends early when time is up."""
        for recipient in recipients:
            try:
                remote_id = self.send(notice, recipient)
            except DeliveryError as error:
                yield Outcome(recipient.delivery_id, error)
            else:
                yield Outcome(recipient.delivery_id, remote_id=remote_id)

    def close(self) -> None:
        """Let go of connections."""
