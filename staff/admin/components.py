"""Staff screens for groups, components and the spans that uptime is made of."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy

from components.effects import show_worst
from components.models import Component, Group, StatusSpan
from pages.models import Page
from staff.admin.pages import StaffModelAdmin


class AtTheEnd:
    """What is new comes last, until somebody moves it."""

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        last = {"position": self.model.objects.next_position()}  # type: ignore[attr-defined]
        return last | super().get_changeform_initial_data(request)  # type: ignore[misc]


@admin.register(Group)
class GroupAdmin(AtTheEnd, StaffModelAdmin):
    list_display = ("name", "page", "position")
    list_filter = ("page",)
    list_select_related = ("page",)
    search_fields = ("name", "code")
    readonly_fields = ("code",)
    fields = ("page", "name", "description", "position", "code")


@admin.register(Component)
class ComponentAdmin(AtTheEnd, StaffModelAdmin):
    """What is shown follows from incidents and maintenance; here staff set what is shown without them."""

    list_display = ("name", "visibility", "group", "position", "status", "page")
    list_editable = ("position",)
    # As on the posting screen; lists to choose components from follow it.
    ordering = ("page", F("group__position").asc(nulls_first=True), "group_id", "position", "pk")
    list_filter = ("page", "status", "hidden", "group")
    list_select_related = ("page", "group")
    search_fields = ("name", "code", "description")
    readonly_fields = ("status", "code")
    fieldsets = (
        (None, {"fields": ("page", "name", "description", "group", "position", "status", "base_status", "code")}),
        (gettext_lazy("On the page"), {"fields": ("hidden", "only_show_if_degraded", "showcase", "start_date")}),
    )

    def save_model(self, request: HttpRequest, obj: Component, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's
        """What is shown is derived anew from what others say and from the base status."""
        with transaction.atomic():
            obj.page.lock()
            super().save_model(request, obj, form, change)
            show_worst([obj])

    @admin.display(ordering="hidden", empty_value=" ")
    def visibility(self, component: Component) -> str:
        """Only what is out of the ordinary."""
        return gettext("Hidden") if component.hidden else ""


@admin.register(StatusSpan)
class StatusSpanAdmin(StaffModelAdmin):
    """For repair: uptime is computed from these rows, see docs/uptime.md."""

    list_display = ("component", "status", "started_at", "ended_at")
    list_filter = ("status", "component__page")
    list_select_related = ("component__page", "component__group")
    search_fields = ("component__name", "component__code")
    raw_id_fields = ("component",)
    date_hierarchy = "started_at"

    def page_of(self, obj: Any) -> Page | None:
        return obj.component.page
