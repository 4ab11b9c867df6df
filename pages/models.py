"""A page: one public status page, chosen by host name. Also the log of who did what."""

from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.links import LONGEST_LINK, validate_link
from core.pictures import Raster
from core.sub_path import sub_path
from core.text import TitleField, new_code
from pages.look import Look, build_look, validate_colour, validate_links


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(
            _("“%(name)s” is not an IANA time zone; write one such as Etc/UTC or Europe/Berlin.") % {"name": name}
        )


def zone_title(name: str) -> str:
    """As people write it: "Etc/UTC" is "UTC", "America/New_York" is "America/New York"."""
    return name.removeprefix("Etc/").replace("_", " ")


def validate_public_url(url: str) -> None:
    """It stands in mails and feeds as it is, and browsers send host names in ASCII (xn--…)."""
    parts = urlsplit(url)
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if (
        not is_plain
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.path.rstrip("/") != sub_path()
        or parts.query
        or parts.fragment
        or parts.username is not None
    ):
        raise ValidationError(
            _("“%(url)s” is not a page address; write one such as %(example)s.")
            % {"url": url, "example": f"https://status.example.com{sub_path()}"}
        )


Known = TypeVar("Known")


def choose_by_host(host: str, known: Mapping[str, Known]) -> Known | None:
    """What is `known` of a host name (a port is ignored); a deployment's only page answers on every host."""
    if len(known) == 1:
        return next(iter(known.values()))
    return known.get(urlsplit(f"//{host}").hostname or "")


class PageQuerySet(models.QuerySet["Page"]):
    def for_host(self, host: str) -> "Page | None":
        return choose_by_host(host, {page.host: page for page in self})


class Page(models.Model):
    code = models.CharField(max_length=12, unique=True, default=new_code, editable=False)
    name = TitleField()
    url = models.CharField(
        "public address",
        max_length=255,
        validators=[validate_public_url],
        help_text=_(
            "Where visitors find this page, such as https://status.example.com. Links in mails and feeds start with it."
        ),
    )
    host = models.CharField(max_length=255, unique=True, editable=False)
    time_zone = models.CharField(max_length=64, default="Etc/UTC", validators=[validate_time_zone])
    about = TitleField(blank=True, help_text=_("One sentence under the page's name."))
    support_url = models.CharField(
        max_length=LONGEST_LINK,
        blank=True,
        validators=[validate_link],
        help_text=_("Where visitors get help; shown at the foot of the page."),
    )
    accent_light = models.CharField(
        max_length=7, blank=True, validators=[validate_colour], help_text=_("The accent colour of light pages.")
    )
    accent_dark = models.CharField(max_length=7, blank=True, validators=[validate_colour])
    pictures = models.JSONField(
        default=dict,
        blank=True,
        help_text=_("Which pictures are shown: “logo”, “logo_dark” and “icon”, each with digest, width and height."),
    )
    header_links = models.JSONField(default=list, blank=True, validators=[validate_links])
    footer_links = models.JSONField(default=list, blank=True, validators=[validate_links])
    maintenance_notice_hours = models.PositiveSmallIntegerField(
        default=72, help_text=_("How long before maintenance starts the banner announces it, in hours.")
    )
    generation = models.PositiveBigIntegerField(
        default=1, editable=False, help_text=_("Raised in the same transaction as any public change.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PageQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        permissions = (("publish", "May post updates"), ("administer", "May change pages, components and accounts"))

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.url = self.url.rstrip("/")
        self.host = urlsplit(self.url).hostname or ""
        super().save(*args, **kwargs)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def look(self) -> Look:
        return build_look(self)

    def show_picture(self, name: str, raster: Raster | None) -> None:
        """Keep `raster` and show it as “logo”, “logo_dark” or “icon”; None: show none. Does not save the page.

        The one before stays stored: mails that were sent show it.
        """
        kept = {other: described for other, described in self.pictures.items() if other != name}
        if raster is not None:
            Picture.objects.get_or_create(page=self, digest=raster.digest, defaults={"content": raster.content})
            kept[name] = {"digest": raster.digest, "width": raster.width, "height": raster.height}
        self.pictures = kept

    def load_picture(self, name: str) -> Raster | None:
        """What is shown as “logo”, “logo_dark” or “icon”."""
        described = self.pictures.get(name)
        stored = Picture.objects.filter(page=self, digest=described["digest"]).first() if described else None
        return Raster(bytes(stored.content), described["width"], described["height"]) if stored else None

    def absolute_url(self, path: str) -> str:
        """The public address of `path` ("/history"). Never built from a request's Host header."""
        return f"{self.url}{path}"

    def lock(self) -> None:
        """Make the writers of this page queue up, until the transaction ends. SQLite needs no lock: there a
        transaction that writes has taken the whole database from its start."""
        Page.objects.select_for_update(no_key=True).only("pk").get(pk=self.pk)

    def raise_generation(self) -> Self:
        """Say that public content changed. Call it first in the transaction: it locks the page's row,
        so writers of one page queue up behind each other."""
        now = timezone.now()
        Page.objects.filter(pk=self.pk).update(generation=F("generation") + 1, updated_at=now)
        self.refresh_from_db(fields=["generation", "updated_at"])
        return self


class Picture(models.Model):
    """A picture that was uploaded for a page, as core/pictures.py drew it again.

    In the database, not in a folder: whatever backs up the page backs up its logo, and every machine has it at once.
    """

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="stored_pictures")
    digest = models.CharField(max_length=20)
    content = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["page", "digest"], name="picture_once"),)

    def __str__(self) -> str:
        return self.digest


class SetupStep(models.Model):
    """A step of setting a page up that staff finished or left out; what can be seen from the data is no row here."""

    class Name(models.TextChoices):
        MAIL = "mail"
        BANNER = "banner"
        COLLEAGUE = "colleague"
        CHANNEL = "channel"
        ADDRESS = "address"
        DEMO = "demo"
        """The page is the demo: staff/settings/first_run.py offers to leave it."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="setup_steps")
    name = models.CharField(max_length=12, choices=Name.choices)
    is_skipped = models.BooleanField(default=False)
    finished_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["page", "name"], name="setup_step_once"),)

    def __str__(self) -> str:
        return f"{self.page}: {self.name}"


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    """To read, and to add to."""

    def update(self, **values: Any) -> int:
        raise TypeError("An audit entry is written once and never changed.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("An audit entry is never deleted.")

    def drop_archived(self, keys: list[int]) -> None:
        """Only for pages/management/commands/archive_audit.py, once they are in a file."""
        for start in range(0, len(keys), 500):
            self.filter(pk__in=keys[start : start + 500])._raw_delete(self.db)


class AuditEntry(models.Model):
    """Who did what, written in the same transaction as the deed. Entries are never changed or deleted."""

    page = models.ForeignKey(Page, null=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    actor = TitleField(help_text=_("The staff account's name, or the command that did it."))
    action = models.CharField(max_length=64, help_text=_("Such as incident.update or component.change."))
    target = TitleField(help_text=_("What it was done to."))
    detail = models.JSONField(default=dict, help_text=_("What changed, without secrets."))
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        verbose_name_plural = _("audit entries")

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("An audit entry is written once and never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("An audit entry is never deleted.")


def record_audit(page: Page | None, actor: str, action: str, target: str, **detail: Any) -> AuditEntry:
    return AuditEntry.objects.create(page=page, actor=actor, action=action, target=target, detail=detail)


def record_audits(page: Page | None, actor: str, action: str, targets: Iterable[str], **detail: Any) -> None:
    """The same for many rows that one deed changed, an entry each."""
    entries = (AuditEntry(page=page, actor=actor, action=action, target=target, detail=detail) for target in targets)
    AuditEntry.objects.bulk_create(entries, batch_size=1000)
