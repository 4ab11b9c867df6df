"""Looking at incidents and repairing what was told. New posts are made on the posting screen alone."""

from typing import Any

from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext, gettext_lazy

from incidents.models import Incident, Template, Update
from pages.models import Page
from staff.admin.pages import StaffModelAdmin, StaffRights

WINDOW = gettext_lazy("Maintenance")
"""The title of the fields that only maintenance has."""


class MayPublish:
    """Who may publish may also correct what was published."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("pages.publish")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class UpdateInline(StaffRights, admin.TabularInline):  # type: ignore[type-arg]
    model = Update
    fields = readonly_fields = ("display_at", "status", "body", "author")
    ordering = ("-pk",)
    extra = 0
    show_change_link = True
    verbose_name_plural = gettext_lazy("updates, newest first (open one to correct its text)")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Incident)
class IncidentAdmin(MayPublish, StaffModelAdmin):
    list_display = ("name", "kind", "status", "impact", "started_at", "page")
    list_filter = ("page", "kind", "status", "impact")
    list_select_related = ("page",)
    search_fields = ("name", "code", "updates__body")
    date_hierarchy = "started_at"
    readonly_fields = ("code", "kind", "status", "impact", "started_at", "monitoring_at", "resolved_at", "next_update")
    fieldsets = (
        (None, {"fields": ("name", "impact_override", "next_update")}),
        (WINDOW, {"fields": ("scheduled_for", "scheduled_until", "auto_start", "auto_complete")}),
        (gettext_lazy("Known as"), {"fields": readonly_fields[:-1]}),
    )
    inlines = (UpdateInline,)

    @admin.display(description=gettext_lazy("Next"))
    def next_update(self, incident: Incident) -> str:
        where = reverse("post-update", args=[incident.code])
        return format_html('<a class="btn" href="{}">{}</a>', where, gettext("Post an update"))

    def get_fieldsets(self, request: HttpRequest, obj: Incident | None = None) -> Any:
        """A real-time incident has no window."""
        shown = super().get_fieldsets(request, obj)
        return shown if obj is None or obj.window else [each for each in shown if each[0] is not WINDOW]

    def has_delete_permission(self, request: HttpRequest, obj: Incident | None = None) -> bool:
        """What is open holds components in a bad status: it is resolved first."""
        return super().has_delete_permission(request, obj) and (obj is None or obj.is_closed)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its updates go with it, though nobody may delete one of them alone."""
        shown, counts, _, protected = super().get_deleted_objects(objs, request)
        return shown, counts, set(), protected

    def get_actions(self, request: HttpRequest) -> Any:
        """No deleting of many at once: it would not ask each whether it is closed."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def complete(self, obj: Incident, form: ModelForm) -> None:  # type: ignore[type-arg]
        if "impact_override" in form.changed_data:
            obj.override_impact(obj.impact_override)


@admin.register(Update)
class UpdateAdmin(MayPublish, StaffModelAdmin):
    """For a slip of the pen: the text follows on the page, in the feeds and the API; nobody is told again."""

    list_display = ("__str__", "author", "display_at", "deliver_notifications")
    list_filter = ("incident__page", "status")
    list_select_related = ("incident",)
    search_fields = ("body", "code", "incident__name")
    readonly_fields = ("incident", "status", "author", "display_at", "deliver_notifications", "code")
    fields = ("incident", "status", "body", "author", "display_at", "deliver_notifications", "code")

    def page_of(self, obj: Update) -> Page:
        return obj.incident.page

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Update, form: ModelForm, change: bool) -> None:  # type: ignore[type-arg]  # noqa: FBT001  # Django's
        Update.objects.get(pk=obj.pk).rewrite(form.cleaned_data["body"], actor=request.user.get_username())


@admin.register(Template)
class TemplateAdmin(StaffModelAdmin):
    is_public = False
    list_display = ("name", "kind", "title", "page")
    list_filter = ("page", "kind")
    list_select_related = ("page",)
    search_fields = ("name", "title", "body")
    fields = ("page", "kind", "name", "title", "status", "body", "components")
