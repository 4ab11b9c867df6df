"""What a channel is: it turns a notice into one message and hands it over. It never queries incidents and never retries;
delivery/ledger/retry.py decides whether and when a delivery is tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from django import forms

if TYPE_CHECKING:  # the models import the registry of channels, so this module must not import models
    from delivery.models import Account, Notice

log = logging.getLogger(__name__)
LONGEST_RETRY_SECONDS = 86_400.0
Remote = Mapping[str, Any]
"""The other side's ids of a message, such as {"id": "17"}: a JSON object, {} when there are none."""


class DeliveryError(Exception):
    """Why a message did not go out. `message` is shown to staff: no secrets, no address.

    permanent    this recipient must not be tried again
    gone         permanent, and the address does not exist: it goes on the suppression list
    ambiguous    no answer came, so the other side may have accepted the message
    skip         not sent on purpose, for example because the account is not connected
    pause        nobody on this channel (or account) can be reached now: the attempt does not count
    retry_after  seconds that the other side asked us to wait
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
        # The message may quote the other side. PostgreSQL refuses a NUL, and the result could never be recorded.
        super().__init__("".join(character for character in message if character.isprintable()))
        self.permanent = permanent or gone
        self.gone = gone
        self.ambiguous = ambiguous
        self.skip = skip
        self.pause = pause
        # Limited, because the other side may ask for a thousand years, or for "inf".
        self.retry_after = None if retry_after is None else min(max(retry_after, 0.0), LONGEST_RETRY_SECONDS)


def internal_error(error: Exception) -> DeliveryError:
    """The DeliveryError for a bug in a channel's code: ambiguous, because the message may have been sent."""
    return DeliveryError(f"internal error: {type(error).__name__}", ambiguous=True)


class Recipient(NamedTuple):
    """What a channel needs to know of one claimed delivery."""

    delivery_id: int
    address: str
    subscriber_code: str = ""
    language: str = ""
    """The language of a subscriber's mails; "" for the page's own."""
    account: Account | None = None
    attempts: int = 1
    ambiguous: bool = False
    """An earlier attempt ended without an answer."""
    first_post: Remote = {}
    """On a channel with `replies`: the other side's ids of the account's first post of this incident."""


class SendResult(NamedTuple):
    """The result of one attempt: sent when `error` is None."""

    delivery_id: int
    error: DeliveryError | None = None
    remote: Remote = {}


class SecretField(forms.CharField):
    """An option that is encrypted at rest and never shown again."""

    widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "off", "class": "vTextField"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 500} | kwargs)


class Channel:
    """One kind of channel. Each sender makes its own instance and closes it.

    The class declares everything that other code needs to know, so that no other code tests for a kind by name. Only the
    Celery queue is declared in delivery/registry.py, because workers need it before they load any class.
    """

    label: ClassVar[str]
    for_subscribers: ClassVar[bool] = False
    for_accounts: ClassVar[bool] = False

    class Options(forms.Form):
        """The options of an account. Secret fields are stored in `Account.credentials`, the others in
        `Account.options`. The staff screen draws this form with its help texts."""

    batch_size: ClassVar[int] = 10
    # How many messages are sent at once. With more than one, `send` runs in threads and must not query the database.
    concurrency: ClassVar[int] = 1
    # The time limit of one message, if the channel has one: leases of its rows last at least twice as long.
    seconds_each: ClassVar[float] = 0.0
    # Claim the next batch while the last messages of this one are under way, instead of waiting for their results.
    claims_ahead: ClassVar[bool] = False
    # The other side drops a message with an id that it has seen. If it does not, each post of an account is recorded at
    # once, because a crash would make the post appear twice in public.
    drops_repeats: ClassVar[bool] = False
    # Later posts of an incident reply to its first one: `Recipient.first_post`.
    replies: ClassVar[bool] = False
    max_attempts: ClassVar[int] = 8
    max_age: ClassVar[timedelta] = timedelta(hours=24)
    # After an attempt without an answer: True tries again (the recipient may get it twice), False leaves it to staff.
    resend_ambiguous: ClassVar[bool] = True
    # The field of Statuspage's API that shows `Remote["id"]` of an update's post; "" for none.
    statuspage_field: ClassVar[str] = ""

    while_waiting: Callable[[], None] = staticmethod(lambda: None)
    """Set by the sender. A `send_many` that waits long for other hosts must call it about twice a second, so that earlier
    results are recorded meanwhile."""

    @classmethod
    def secrets(cls) -> list[str]:
        """The names of the options that are secret."""
        return [name for name, field in cls.Options.base_fields.items() if isinstance(field, SecretField)]

    @classmethod
    def is_connected(cls, account: Account) -> bool:
        """Whether an account has all required secrets, and the other side did not refuse them when they were stored."""
        fields = cls.Options.base_fields
        needed = [name for name in cls.secrets() if fields[name].required]
        return not account.refusal and all(account.credentials.get(name) for name in needed)

    @classmethod
    def verify(cls, account: Account) -> str:  # noqa: ARG003 (subclasses use it)
        """Ask the other side whether it accepts the account's secrets, when they are stored. Returns a reason for staff
        if it refuses them; "" if it accepts them or cannot be reached."""
        return ""

    @classmethod
    def where(cls) -> str:
        """A sentence for the receipt when messages go somewhere else than to the recipient, such as to files; else ""."""
        return ""

    @classmethod
    def warning(cls) -> str:
        """A sentence for staff before they post, when this whole channel reaches nobody; else ""."""
        return ""

    @classmethod
    def rate(cls) -> int:
        """Messages a second that all workers together may send; 0 for no limit."""
        return 0

    @classmethod
    def shared_rates(cls) -> Mapping[str, int]:
        """Messages a second for the addresses with one `rate_key`, by key; "*" is any other key, {} no limit."""
        return {}

    @classmethod
    def rate_key(cls, address: str) -> str:  # noqa: ARG003 (subclasses use it)
        """The key under which an address shares a limit, such as its mail domain; see `shared_rates`."""
        return ""

    def send(self, notice: Notice, recipient: Recipient) -> Remote:
        """Send one message and return the other side's ids of it. Raises DeliveryError."""
        raise NotImplementedError

    def send_many(self, notice: Notice, recipients: Iterable[Recipient]) -> Iterator[SendResult]:
        """Yield one result for each recipient taken from the iterable, in any order.

        The iterable ends early when time is up.
        """
        if self.concurrency == 1:
            yield from (self._send_one(notice, recipient) for recipient in recipients)
            return
        waiting = iter(recipients)
        with ThreadPoolExecutor(self.concurrency) as pool:
            running: set[Future[SendResult]] = set()
            while True:
                free = self.concurrency - len(running)
                running |= {pool.submit(self._send_one, notice, each) for each in islice(waiting, free)}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)

    def _send_one(self, notice: Notice, recipient: Recipient) -> SendResult:
        try:
            return SendResult(recipient.delivery_id, remote=self.send(notice, recipient))
        except DeliveryError as error:
            return SendResult(recipient.delivery_id, error)
        except Exception as error:
            # A bug in a channel must not end the batch while other messages are under way.
            log.exception("a bug in this channel: delivery=%d notice=%s", recipient.delivery_id, notice.code)
            return SendResult(recipient.delivery_id, internal_error(error))

    def close(self) -> None:
        """Close connections."""
