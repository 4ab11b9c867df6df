"""Subscribers, the components that they chose, the log of sign-ups, and suppressed addresses."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.db import models, transaction
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from components.models import Component
from core.keyed_hash import KeyedHash, secret_keys
from core.text import new_code
from pages.models import Page

UNDO_FOR = timedelta(hours=1)
CONFIRMATION_SLOT_SECONDS = 15 * 60


def address_hash(channel: str, address: str) -> str:
    """A keyed hash of a normalised address, 64 hex digits: it can be compared, but the address cannot be read from it."""
    return _keyed(settings.SECRET_KEY).hexdigest(f"{channel}:{address}")


def address_hashes(channel: str, address: str) -> list[str]:
    """The hashes under the current key and each retired one, so that suppressions stay valid after a key rotation."""
    return [_keyed(key).hexdigest(f"{channel}:{address}") for key in secret_keys()]


def visitor_hash(visitor: str) -> str:
    """A keyed hash of a visitor's network address; "" for ""."""
    return address_hash("visitor", visitor) if visitor else ""


@lru_cache(maxsize=8)
def _keyed(key: str) -> KeyedHash:
    return KeyedHash(key.encode() + b"subscribers.address_hash")


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    def active(self) -> "SubscriberQuerySet":
        return self.filter(state=Subscriber.State.ACTIVE)

    def matching(self, words: str) -> "SubscriberQuerySet":
        """Subscribers whose address contains `words` or whose code it is; all of them for ""."""
        return self.filter(Q(address__icontains=words) | Q(code=words)) if words else self

    def unsubscribe(self, page: Page, now: datetime) -> list[str]:
        """End every subscription of these addresses of a page (see `Subscriber.unsubscribe`); the codes of those that
        ended. No other leaving has this moment, so `undo_unsubscribe` finds them by it."""
        asked = self.filter(page=page).order_by().values("pk")
        those = Subscriber.objects.filter(
            pk__in=asked, channel=OuterRef("channel"), address=OuterRef("address"), page=page
        )
        left = Subscriber.objects.filter(Exists(those), page=page).exclude(state=Subscriber.State.UNSUBSCRIBED)
        left.update(state=Subscriber.State.UNSUBSCRIBED, unsubscribed_at=now)
        return list(Subscriber.objects.filter(page=page, unsubscribed_at=now).values_list("code", flat=True))

    def undo_unsubscribe(self, page: Page, left_at: datetime) -> list[str]:
        """Bring back who left at that moment, each to the state that it had; their codes."""
        gone = Subscriber.objects.filter(page=page, state=Subscriber.State.UNSUBSCRIBED, unsubscribed_at=left_at)
        codes = list(gone.values_list("code", flat=True))
        active, pending = Value(Subscriber.State.ACTIVE), Value(Subscriber.State.PENDING)
        before = Case(When(confirmed_at=None, then=pending), default=active)
        gone.update(state=before, unsubscribed_at=None)
        return codes

    def following(self, page: Page, incident_code: str) -> "SubscriberQuerySet":
        """Active subscribers of a page who follow only this incident."""
        # The second condition lets SQLite use the partial index.
        return self.active().filter(page=page, incident_code=incident_code, incident_code__gt="")

    def about(self, page: Page, component_codes: list[str], incident_code: str) -> "SubscriberQuerySet":
        """Active subscribers of a page who follow all components, one of these components, or this incident ("" for one
        that nobody can follow yet)."""
        choices = Choice.objects.filter(subscriber_id=OuterRef("pk"))
        chosen = choices.filter(component__code__in=component_codes)
        everything = ~Exists(choices)
        whole_page = Q(incident_code="") & (Q(everything) | Q(Exists(chosen)))
        this_incident = ~Q(incident_code="") & Q(incident_code=incident_code)
        return self.active().filter(whole_page | this_incident, page=page)


class Subscriber(models.Model):
    class State(models.TextChoices):
        PENDING = "pending", _("Waiting for confirmation")
        ACTIVE = "active", _("Active")
        UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="subscribers")
    code = models.CharField(max_length=12, unique=True, default=new_code, editable=False)
    channel = models.CharField(max_length=20, default="email")
    address = models.CharField(max_length=320, help_text=_("As it is written to."))
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    components = models.ManyToManyField(
        Component, blank=True, related_name="+", through="Choice", help_text=_("None chosen means all of them.")
    )
    incident_code = models.CharField(max_length=12, blank=True, help_text=_("Set: only about this one incident."))
    language = models.CharField(
        max_length=16, blank=True, default="", db_default="", help_text=_("Of mails; empty: the page's own.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    links_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("Manage links made before this moment no longer work.")
    )

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["page", "channel", "address", "incident_code"], name="one_subscription_per_address"
            ),
        )
        indexes = (
            models.Index(fields=["page", "state", "id"]),
            models.Index(
                fields=["incident_code", "page", "id"],
                condition=Q(incident_code__gt=""),
                name="subscriber_of_incident",
            ),
        )

    def __str__(self) -> str:
        return self.address

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE

    @property
    def public_components(self) -> QuerySet[Component]:
        """The chosen components that are public now."""
        return Component.objects.public().filter(pk__in=self.choices.values("component_id")).labelled()

    def accepts_confirm(self, made_at: datetime) -> bool:
        """Whether a confirm link made at that time is valid: not after unsubscribing since."""
        return self.is_active or self.unsubscribed_at is None or made_at > self.unsubscribed_at

    def accepts_manage(self, made_at: datetime) -> bool:
        return self.is_active and (self.links_since is None or made_at >= self.links_since)

    def ask(self, components: Iterable[Component], language: str = "") -> None:
        """Store an unconfirmed request; the latest one counts until the link in the mail is used. An active subscriber is
        not changed, because anybody can write any address into the form."""
        if self.is_active:
            return
        self.state, self.confirmed_at, self.language = self.State.PENDING, None, language
        self.save(update_fields=["state", "confirmed_at", "language"])
        self.choose(components)

    def choose(self, components: Iterable[Component]) -> None:
        """Follow only these components; all of them if the list is empty."""
        with transaction.atomic():
            self.choices.all().delete()
            Choice.objects.bulk_create(Choice(subscriber=self, component=each) for each in components)

    def set_language(self, language: str) -> None:
        """Set the language of mails; "" for the page's own."""
        self.language = language
        self.save(update_fields=["language"])

    def confirm(self, now: datetime) -> bool:
        """Become active; False if it was active already. Links made before this moment stop working.

        Only called for POST requests, because programs that scan mails open every link.
        """
        changed = (
            Subscriber.objects.filter(pk=self.pk)
            .exclude(state=self.State.ACTIVE)
            .update(state=self.State.ACTIVE, confirmed_at=now, unsubscribed_at=None, links_since=now)
        )
        self.refresh_from_db()
        return bool(changed)

    def unsubscribe(self, now: datetime) -> bool:
        """End all subscriptions of this address on the page; False if they had ended already.

        It ends all of them because one click in any mail must end the mails.
        """
        changed = (
            self.same_address()
            .exclude(state=self.State.UNSUBSCRIBED)
            .update(state=self.State.UNSUBSCRIBED, unsubscribed_at=now)
        )
        self.refresh_from_db()
        return bool(changed)

    def undo_unsubscribe(self, now: datetime) -> bool:
        """Undo the last unsubscribing within UNDO_FOR; False if it is too late, or the address was never confirmed.

        Later than that an old link must not be enough, and a new subscription asks for consent again.
        """
        left = self.same_address().filter(unsubscribed_at=self.unsubscribed_at, confirmed_at__isnull=False)
        recent = left.filter(state=self.State.UNSUBSCRIBED, unsubscribed_at__gte=now - UNDO_FOR)
        changed = recent.update(state=self.State.ACTIVE, unsubscribed_at=None)
        self.refresh_from_db()
        return bool(changed)

    def can_undo(self, now: datetime) -> bool:
        recent = self.unsubscribed_at is not None and self.unsubscribed_at >= now - UNDO_FOR
        return self.state == self.State.UNSUBSCRIBED and self.confirmed_at is not None and recent

    def renew_links(self, now: datetime) -> None:
        """Make all manage links invalid that were made so far, for example after a mail was passed on."""
        self.links_since = now
        self.save(update_fields=["links_since"])

    def same_address(self) -> SubscriberQuerySet:
        return Subscriber.objects.filter(page_id=self.page_id, channel=self.channel, address=self.address)


class Choice(models.Model):
    """A component that a subscriber chose. It stays when the component is deleted: a subscriber without choices would
    follow all components."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="choices")
    component = models.ForeignKey(Component, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["subscriber", "component"], name="one_choice_per_component"),)

    def __str__(self) -> str:
        return str(self.component or "a component that is gone")


def current_slot() -> int:
    """The number of the current quarter of an hour since 1970."""
    return int(timezone.now().timestamp()) // CONFIRMATION_SLOT_SECONDS


class Confirmation(models.Model):
    """One request for a mail in the subscribe form: the log by which the limits count. delivery sends the mail.

    It stores a hash of the address, so that the limits hold after the subscriber is deleted. Of two simultaneous requests,
    both of which may pass the count, the unique constraint on `slot` refuses one.
    """

    subscriber = models.ForeignKey(Subscriber, null=True, on_delete=models.SET_NULL, related_name="confirmations")
    code = models.CharField(max_length=12, default=new_code, editable=False, help_text=_("The code of its notice."))
    address_hash = models.CharField(max_length=64, help_text=_("Of the mailbox: without the “+tag” and dots."))
    visitor_hash = models.CharField(
        max_length=64, blank=True, db_index=True, help_text=_("Of the network address that asked; empty when unknown.")
    )
    slot = models.BigIntegerField(default=current_slot, editable=False, help_text=_("The quarter hour of the request."))
    requested_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["address_hash", "slot"], name="one_confirmation_per_slot"),)

    def __str__(self) -> str:
        return f"confirmation {self.pk}"


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def covers(self, channel: str, address: str) -> bool:
        return bool(self.among(channel, [address]))

    def among(self, channel: str, addresses: Iterable[str]) -> set[str]:
        """Those of `addresses` (normalised) that are suppressed, in one query."""
        keys = [_keyed(key) for key in secret_keys()]
        by_hash = {key.hexdigest(f"{channel}:{address}"): address for address in addresses for key in keys}
        found = self.filter(channel=channel, address_hash__any_of=by_hash).values_list("address_hash", flat=True)
        return {by_hash[hashed] for hashed in found}


class Suppression(models.Model):
    """An address that must not be written to. It is stored as a hash, so it may stay when the subscriber is deleted."""

    class Reason(models.TextChoices):
        HARD_BOUNCE = "hard_bounce", _("The address does not exist")
        SOFT_BOUNCE = "soft_bounce", _("Mail kept coming back for days")
        COMPLAINT = "complaint", _("Marked as spam")
        MANUAL = "manual", _("Added by staff")

    channel = models.CharField(max_length=20, default="email")
    address_hash = models.CharField(max_length=64)
    reason = models.CharField(max_length=12, choices=Reason.choices)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "address_hash"], name="one_suppression"),)
        indexes = (models.Index(fields=["created_at"]),)  # for the overview's query for the last day

    def __str__(self) -> str:
        return f"{self.channel} {self.address_hash[:8]} ({self.reason})"
