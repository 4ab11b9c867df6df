"""What was wrong, since when, and who was told: for who administers. Open alarms are on everybody's overview."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, gettext_lazy

from canary.heartbeats import destinations
from canary.models import Alarm
from staff.admin.delivery import ReadOnlyAdmin
from staff.admin.pages import AdministerOnly

NO_CANARY = gettext_lazy(
    "No canary is set up, so nobody sees whether messages arrive: docs/canary.md says how, in five minutes."
)


@admin.register(Alarm)
class AlarmAdmin(AdministerOnly, ReadOnlyAdmin):
    list_display = ("key", "headline", "raised_at", "cleared_at", "channels", "trouble")
    list_filter = ("key",)
    search_fields = ("text",)
    date_hierarchy = "raised_at"
    exclude = ("told", "claimed_until")
    readonly_fields = ("channels",)

    @admin.display(description=gettext_lazy("what"))
    def headline(self, obj: Alarm) -> str:
        return obj.text.splitlines()[0]

    @admin.display(description=gettext_lazy("told by"))
    def channels(self, obj: Alarm) -> str:
        return ", ".join(obj.told) or gettext("nobody")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not destinations():
            messages.warning(request, NO_CANARY)
        return super().changelist_view(request, extra_context)
