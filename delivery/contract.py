"""What a channel is: it turns a notice into one message and hands it over. It never queries incidents
and never retries by itself; when and whether to try again is decided by delivery/ledger/retry.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from django import forms

if TYPE_CHECKING:  # the models name the channels' kinds, so nothing here may need them
    from delivery.models import Account, Notice

log = logging.getLogger(__name__)
LONGEST_RETRY_SECONDS = 86_400.0
Remote = Mapping[str, Any]
"""The other side's ids of a message, such as {"id": "17"}; JSON. Empty when it has none."""


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
        # The other side's wish, within reason: it may ask for a thousand years, or for "inf".
        self.retry_after = None if retry_after is None else min(max(retry_after, 0.0), LONGEST_RETRY_SECONDS)


def internal_error(error: Exception) -> DeliveryError:
    """Of a mistake in our own code: nobody knows whether the message left."""
    return DeliveryError(f"internal error: {type(error).__name__}", ambiguous=True)


class Recipient(NamedTuple):
    """One claimed delivery, as far as a channel needs it."""

    delivery_id: int
    address: str
    subscriber_code: str = ""
    language: str = ""
    """What a subscriber reads; "" for the page's own."""
    account: Account | None = None
    attempts: int = 1
    ambiguous: bool = False
    """An earlier attempt ended without an answer."""
    first_post: Remote = {}
    """Where the channel replies: what the account's first post of this incident is called on the other side."""


class Outcome(NamedTuple):
    """What became of one delivery: handed over when `error` is None."""

    delivery_id: int
    error: DeliveryError | None = None
    remote: Remote = {}


class SecretField(forms.CharField):
    """An option that staff write and nobody reads: encrypted at rest, never shown again."""

    widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "off", "class": "vTextField"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 500} | kwargs)


class Channel:
    """One kind of channel, used by one sender at a time and closed when that sender is done.

    What others need to know of a channel is declared here, and nobody asks for a kind by its name. Its queue stands
    beside its name in delivery/registry.py: workers are told of queues before any class is loaded.
    """

    label: ClassVar[str]
    for_subscribers: ClassVar[bool] = False
    for_accounts: ClassVar[bool] = False

    class Options(forms.Form):
        """What an account is set up with. Secret fields are kept in `Account.credentials`, the others in
        `Account.options`; the staff's form is drawn from it, and its help texts are what staff read."""

    batch_size: ClassVar[int] = 10
    # How many messages are under way at once. With more than one, `send` runs in threads and may not ask the database.
    concurrency: ClassVar[int] = 1
    # The longest that one message takes, where a channel knows it: no lease of its rows is much shorter.
    seconds_each: ClassVar[float] = 0.0
    # Claim the next batch as soon as one of these messages has room, not only when each of a batch has its outcome.
    claims_ahead: ClassVar[bool] = False
    # The other side knows a message that it has already, by an id of ours. If not, what an account posts is recorded at
    # once: all would see it twice after a crash.
    drops_repeats: ClassVar[bool] = False
    # An incident's later posts reply to its first one: `Recipient.first_post`.
    replies: ClassVar[bool] = False
    max_attempts: ClassVar[int] = 8
    max_age: ClassVar[timedelta] = timedelta(hours=24)
    # After an attempt without an answer: try again (the recipient may see it twice), or leave it to staff.
    resend_ambiguous: ClassVar[bool] = True
    # The field of Statuspage's API that shows `Remote["id"]` of an update's post; "" for none.
    statuspage_field: ClassVar[str] = ""

    while_waiting: Callable[[], None] = staticmethod(lambda: None)
    """The sender's: a `send_many` that waits long for other hosts calls it about twice a second, so that what came before
    is recorded meanwhile."""

    @classmethod
    def secrets(cls) -> list[str]:
        """The names of the options that are secret."""
        return [name for name, field in cls.Options.base_fields.items() if isinstance(field, SecretField)]

    @classmethod
    def is_connected(cls, account: Account) -> bool:
        """Whether an account has all the secrets that it needs, and they were not refused when they were stored."""
        fields = cls.Options.base_fields
        needed = [name for name in cls.secrets() if fields[name].required]
        return not account.refusal and all(account.credentials.get(name) for name in needed)

    @classmethod
    def verify(cls, account: Account) -> str:  # noqa: ARG003 (for those who need it)
        """Ask the other side whether it takes the account's secrets: "" if so, or if it cannot be asked now, else why
        not, for staff to read. Called as they are stored."""
        return ""

    @classmethod
    def where(cls) -> str:
        """A sentence for the receipt when messages do not go where one would expect; else ""."""
        return ""

    @classmethod
    def warning(cls) -> str:
        """A sentence for staff about to post, when this channel as a whole reaches nobody; else ""."""
        return ""

    @classmethod
    def rate(cls) -> int:
        """Messages a second that all workers together may hand over; 0 for no limit."""
        return 0

    @classmethod
    def shared_rates(cls) -> Mapping[str, int]:
        """The same for addresses that share a `rate_key`; "*" is every other key, {} no limit."""
        return {}

    @classmethod
    def rate_key(cls, address: str) -> str:  # noqa: ARG003 (likewise)
        """What an address shares a limit with, such as its mail domain; see `shared_rates`."""
        return ""

    def send(self, notice: Notice, recipient: Recipient) -> Remote:
        """Hand over one message and return the other side's ids for it. Raises DeliveryError."""
        raise NotImplementedError

    def send_many(self, notice: Notice, recipients: Iterable[Recipient]) -> Iterator[Outcome]:
        """One outcome for each recipient taken from the iterable, which ends early when time is up.

        Not in order when several are under way at once.
        """
        if self.concurrency == 1:
            yield from (self._send_one(notice, recipient) for recipient in recipients)
            return
        waiting = iter(recipients)
        with ThreadPoolExecutor(self.concurrency) as pool:
            running: set[Future[Outcome]] = set()
            while True:
                free = self.concurrency - len(running)
                running |= {pool.submit(self._send_one, notice, each) for each in islice(waiting, free)}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)

    def _send_one(self, notice: Notice, recipient: Recipient) -> Outcome:
        try:
            return Outcome(recipient.delivery_id, remote=self.send(notice, recipient))
        except DeliveryError as error:
            return Outcome(recipient.delivery_id, error)
        except Exception as error:
            # A mistake in a channel's code must not end the batch, whose other messages may be under way. This one, too.
            log.exception("channel failed: delivery=%d notice=%s", recipient.delivery_id, notice.code)
            return Outcome(recipient.delivery_id, internal_error(error))

    def close(self) -> None:
        """Let go of connections."""
