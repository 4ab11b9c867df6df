"""Looking up a subscriber, letting one go, and addresses that must not be written to. Links are never shown:
who can read them could act for the subscriber."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from delivery.models import Delivery
from pages.models import record_audit
from staff.admin.pages import ADMINISTER, AdministerOnly
from subscribers.addresses import normalise_address
from subscribers.forgetting import forget
from subscribers.models import Confirmation, Subscriber, Suppression, address_hash, address_hashes


class ReadOnly:
    """No adding (an address must consent itself) and no editing; nothing is deleted past `forget`."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class ConfirmationInline(ReadOnly, AdministerOnly, admin.TabularInline):  # type: ignore[type-arg]
    model = Confirmation
    fields = readonly_fields = ("requested_at", "outcome")
    verbose_name_plural = gettext_lazy("mails asked for in the subscribe form")

    @admin.display(description=gettext_lazy("what became of it"))
    def outcome(self, asked: Confirmation) -> str:
        delivery = Delivery.objects.filter(notice__code=asked.code).first()
        if delivery is None:
            return _("Not known any more")
        label = Delivery.State(delivery.state).label
        return f"{label}: {delivery.error}" if delivery.error else str(label)


@admin.register(Subscriber)
class SubscriberAdmin(ReadOnly, AdministerOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("address", "page", "state", "about", "created_at", "confirmed_at", "unsubscribed_at")
    list_filter = ("state", "page", "channel")
    list_select_related = ("page",)
    show_facets = admin.ShowFacets.ALWAYS
    search_fields = ("address", "=code")
    search_help_text = gettext_lazy("A part of the address, or the code in the audit log.")
    fields = ("address", "page", "channel", "state", "about", "created_at", "confirmed_at", "unsubscribed_at")
    readonly_fields = ("about",)
    inlines = (ConfirmationInline,)
    actions = ("unsubscribe", "delete_their_data")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscriber]:
        return super().get_queryset(request).annotate(chosen=Count("choices"))

    @admin.display(description=gettext_lazy("hears about"))
    def about(self, subscriber: Subscriber) -> str:
        if subscriber.incident_code:
            return _("incident %(code)s") % {"code": subscriber.incident_code}
        chosen: int = getattr(subscriber, "chosen", 0)
        if not chosen:
            return _("everything")
        return ngettext("%(count)d component", "%(count)d components", chosen) % {"count": chosen}

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Actions need the right that ReadOnly takes away from the form."""
        return request.user.has_perm(ADMINISTER)

    @admin.action(description=gettext_lazy("Unsubscribe"), permissions=["act"])
    def unsubscribe(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        now = timezone.now()
        with transaction.atomic():
            left = [subscriber for subscriber in queryset if subscriber.unsubscribe(now)]
            for subscriber in left:
                record_audit(subscriber.page, request.user.get_username(), "subscriber.unsubscribe", subscriber.code)
        messages.success(request, _("Unsubscribed: %(count)d.") % {"count": len(left)})

    @admin.action(description=gettext_lazy("Delete their data"), permissions=["act"])
    def delete_their_data(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        found = list(queryset.select_related("page"))
        for subscriber in found:
            forget(subscriber, actor=request.user.get_username())
        messages.success(request, _("Deleted: %(count)d.") % {"count": len(found)})


class SuppressionForm(forms.ModelForm):  # type: ignore[type-arg]
    address = forms.CharField(
        help_text=gettext_lazy("Only a hash of it is stored: it can be found again, but not read.")
    )

    class Meta:
        model = Suppression
        fields: tuple[str, ...] = ()

    def clean_address(self) -> str:
        address = normalise_address(self.cleaned_data["address"])
        if Suppression.objects.covers("email", address):
            raise ValidationError(_("This address is suppressed already."))
        return address

    def save(self, commit: bool = True) -> Suppression:  # noqa: FBT001, FBT002 - Django's signature
        self.instance.reason = Suppression.Reason.MANUAL
        self.instance.address_hash = address_hash("email", self.cleaned_data["address"])
        return super().save(commit)


@admin.register(Suppression)
class SuppressionAdmin(AdministerOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Staff add an address, or lift a suppression by deleting it after searching for the whole address."""

    form = SuppressionForm
    list_display = ("__str__", "reason", "created_at")
    list_filter = ("reason", "created_at")
    show_facets = admin.ShowFacets.ALWAYS
    search_fields = ("address_hash",)
    search_help_text = gettext_lazy("A whole address; only its hash is stored.")

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(address_hash__in=address_hashes("email", normalise_address(search_term))), False
        except ValidationError:
            return queryset.none(), False

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:  # noqa: FBT001
        super().save_model(request, obj, form, change)
        record_audit(None, request.user.get_username(), "suppression.add", obj.address_hash[:8])

    def delete_model(self, request: HttpRequest, obj: Suppression) -> None:
        record_audit(None, request.user.get_username(), "suppression.lift", obj.address_hash[:8])
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        with transaction.atomic():
            for suppression in queryset:
                self.delete_model(request, suppression)
