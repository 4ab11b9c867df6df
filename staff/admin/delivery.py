"""Staff screens for accounts, and for looking at the ledger and repairing it."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from delivery.ledger import outbox
from delivery.mail.bounces.models import BounceEvent
from delivery.models import Account, Delivery, Notice, Pause
from delivery.receipt import PRUNED
from pages.models import Page, record_audit
from staff.account_forms import (
    OPTION,
    SECRET,
    AccountForm,
    account_form,
    describe_connections,
    end_pause,
    option_fields,
    secret_names,
    send_test,
)
from staff.admin.pages import ADMINISTER, StaffModelAdmin, StaffRights

MOST_SENT_AGAIN = 20


@admin.register(Account)
class AccountAdmin(StaffModelAdmin):
    """Added in two steps: which channel, then what that channel needs to sign in. Settings make the canary's own."""

    is_public = False
    form = AccountForm
    list_display = ("name", "channel", "page", "connection", "enabled")
    list_filter = ("page", "channel", "enabled")
    list_select_related = ("page",)
    search_fields = ("name",)
    readonly_fields = ("connection",)
    actions = ("send_test_message",)

    @property
    def secret_fields(self) -> frozenset[str]:  # type: ignore[override]
        return secret_names()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        return super().get_queryset(request).filter(audience=Notice.Audience.PAGE)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_readonly_fields(request, obj), *(["channel"] if obj else [])]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ((None, {"fields": ("page", "channel", "name")}),)
        asked = option_fields(obj.channel)
        options = [name for name in asked if name.startswith(OPTION)]
        secrets = [name for name in asked if name.startswith(SECRET)]
        shown: list[Any] = [(None, {"fields": ("page", "channel", "name", "connection", "enabled")})]
        if secrets:
            shown.append((_("Sign-in"), {"fields": (*secrets, "disconnect")}))
        if options:
            shown.append((_("Options"), {"fields": options}))
        return shown

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002
        kwargs["form"] = account_form(obj.channel if obj else "")
        return super().get_form(request, obj, change, **kwargs)

    def response_add(self, request: HttpRequest, obj: Account, post_url_continue: str | None = None) -> HttpResponse:
        self.message_user(request, _("%(name)s was added. Write its credentials below to connect it.") % {"name": obj})
        return redirect("admin:delivery_account_change", obj.pk)

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:  # noqa: FBT001 (Django's)
        """Changed credentials deserve a new try at once, unless the other side has just refused them."""
        if obj.refusal:
            words = _("%(name)s is not connected: %(reason)s") % {"name": obj, "reason": obj.refusal}
            self.message_user(request, words, messages.ERROR)
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            end_pause(obj, form)

    @admin.action(
        description=gettext_lazy("Send a test message, which followers of the account see"), permissions=["change"]
    )
    def send_test_message(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        for account in queryset.select_related("page"):
            notice = send_test(request, account)
            if notice is None:
                words = _("%(name)s is switched off or not connected.") % {"name": account}
                self.message_user(request, words, messages.ERROR)
                continue
            where, more = reverse("receipt", args=[notice.code]), _("What becomes of it")
            words = _("A test message on %(name)s was queued.") % {"name": account}
            self.message_user(request, format_html('{} <a href="{}">{}</a>', words, where, more))

    @admin.display(description=gettext_lazy("connection"))
    def connection(self, obj: Account) -> str:
        return describe_connections([obj])[0]


class ReadOnlyAdmin(StaffRights, admin.ModelAdmin):  # type: ignore[type-arg]
    """For looking; what may be repaired is an action."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_repair_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADMINISTER)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Publishers see how each delivery went, but only who administers sees, or finds by, somebody's address."""

    list_display = ("notice", "channel", "recipient", "state", "attempts", "next_attempt_at", "sent_at", "error")
    list_display_links = ("notice",)
    list_filter = ("channel", "state", "ambiguous", "notice__page")
    list_select_related = ("notice", "account")
    search_fields = ("notice__title", "notice__code", "remote")
    ordering = ("-pk",)
    actions = ("try_again", "send_again")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).exclude(notice__in=Notice.objects.filter(audience=Notice.Audience.CANARY))

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = "address" if _sees_addresses(request) else "recipient"
        return [shown if name == "recipient" else name for name in self.list_display]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*self.search_fields, *(["address"] if _sees_addresses(request) else [])]

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if _sees_addresses(request) else ["address", "subscriber"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if _sees_addresses(request) else ["recipient"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """`?address__startswith=a` would tell letter by letter what is not shown."""
        if lookup.partition("__")[0] in ("address", "subscriber") and not _sees_addresses(request):
            return False
        return super().lookup_allowed(lookup, value, request)

    @admin.display(description=gettext_lazy("to"))
    def recipient(self, obj: Delivery) -> str:
        if obj.account:
            return str(obj.account)
        if obj.subscriber_id:
            return _("subscriber %(number)s") % {"number": obj.subscriber_id}
        return _("somebody who has left")

    @admin.action(description=gettext_lazy("Try again what failed"), permissions=["repair"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        self._requeue(request, queryset)

    @admin.action(description=gettext_lazy("Send again to this person"), permissions=["repair"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """For who says that nothing came. A few at a time: one click too many must not write to everybody again."""
        if queryset.count() > MOST_SENT_AGAIN:
            words = _("Choose at most %(most)d deliveries to send again. Nothing was sent.") % {"most": MOST_SENT_AGAIN}
            self.message_user(request, words, messages.ERROR)
            return
        self._requeue(request, queryset, also_sent=True)

    def _requeue(self, request: HttpRequest, queryset: QuerySet[Delivery], *, also_sent: bool = False) -> None:
        pages = Page.objects.filter(notices__deliveries__in=queryset.values("pk")).distinct()
        with transaction.atomic():
            for page in pages:
                chosen = Delivery.objects.filter(pk__in=queryset.values("pk"), notice__page=page)
                count = outbox.requeue(chosen, also_sent=also_sent)
                record_audit(page, request.user.get_username(), "delivery.requeue", f"{count} deliveries", count=count)
                words = ngettext(
                    "%(page)s: %(count)d delivery waits to be sent again.",
                    "%(page)s: %(count)d deliveries wait to be sent again.",
                    count,
                )
                self.message_user(request, words % {"page": page, "count": count})
        if Notice.objects.filter(deliveries__in=queryset.values("pk"), pruned_at__isnull=False).exists():
            self.message_user(request, _(PRUNED), messages.WARNING)


def _sees_addresses(request: HttpRequest) -> bool:
    return request.user.has_perm(ADMINISTER)


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = (
        "title",
        "receipt",
        "status_label",
        "page",
        "created_at",
        "expanded_at",
        "cancelled_at",
        "pruned_at",
    )
    list_filter = ("page", "severity")
    list_select_related = ("page",)
    readonly_fields = ("receipt",)
    search_fields = ("title", "code", "thread")
    date_hierarchy = "created_at"
    actions = ("tell_nobody_else",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notice]:
        return super().get_queryset(request).filter(audience=Notice.Audience.PAGE)

    @admin.display(description=gettext_lazy("receipt"))
    def receipt(self, obj: Notice) -> str:
        """However old: the overview links to the newest alone."""
        return format_html('<a href="{}">{}</a>', reverse("receipt", args=[obj.code]), _("Receipt"))

    @admin.action(description=gettext_lazy("Tell nobody else"), permissions=["repair"])
    def tell_nobody_else(self, request: HttpRequest, queryset: QuerySet[Notice]) -> None:
        for notice in queryset.select_related("page"):
            with transaction.atomic():
                spared = outbox.cancel(notice)
                record_audit(notice.page, request.user.get_username(), "notice.cancel", str(notice), spared=spared)
            words = _("“%(title)s” goes to nobody else; %(spared)d were still waiting.")
            self.message_user(request, words % {"title": notice, "spared": spared}, messages.WARNING)


@admin.register(Pause)
class PauseAdmin(ReadOnlyAdmin):
    """Deleting a pause tries again at once."""

    list_display = ("key", "reason", "since", "probe_at", "failures")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_repair_permission(request)

    def delete_model(self, request: HttpRequest, obj: Pause) -> None:
        with transaction.atomic():
            record_audit(None, request.user.get_username(), "pause.end", obj.key, reason=obj.reason)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Pause]) -> None:
        for pause in queryset:
            self.delete_model(request, pause)


@admin.register(BounceEvent)
class BounceEventAdmin(ReadOnlyAdmin):
    """What came back, without addresses."""

    list_display = ("noted_at", "kind", "source", "outcome", "reason")
    list_filter = ("kind", "outcome", "source")
    exclude = ("address_hash",)
