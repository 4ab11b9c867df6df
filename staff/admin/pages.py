"""The base of every staff screen for data, and the screens for pages and the audit log."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from pages.models import AuditEntry, Page, zone_title
from staff.changes import ChangesForm, RowForm
from staff.saving import doing, saving

ADMINISTER = "pages.administer"
PUBLISH = "pages.publish"


class StaffRights:
    """Who may publish may look; who may administer may change. For model admins and inlines alike."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PUBLISH) or request.user.has_perm(ADMINISTER)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(ADMINISTER)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(ADMINISTER)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(ADMINISTER)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


class AdministerOnly(StaffRights):
    """For what only administering needs to see, such as addresses of people."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(ADMINISTER)


class StaffModelAdmin(StaffRights, admin.ModelAdmin):  # type: ignore[type-arg]
    """For whatever belongs to a page. Each change is audited in its transaction; a change that visitors can
    see raises the page's generation first, so that the public pages follow within a second.

    Set `is_public = False` where visitors see nothing of the model, `secret_fields` for fields whose values
    must not enter the audit log, and override `page_of` where the page is further away than `obj.page`.
    """

    form: type[ModelForm] = ChangesForm  # type: ignore[type-arg]
    is_public = True
    secret_fields: frozenset[str] = frozenset()
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def page_of(self, obj: Any) -> Page | None:
        return obj if isinstance(obj, Page) else obj.page

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What belongs to one page never moves to another."""
        fixed = list(super().get_readonly_fields(request, obj))
        belongs = any(field.name == "page" for field in self.opts.fields)
        return [*fixed, "page"] if obj and belongs else fixed

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Where there is one page only, it is chosen."""
        pages = list(Page.objects.values_list("pk", flat=True)[:2])
        chosen = {"page": pages[0]} if len(pages) == 1 else {}
        return chosen | super().get_changeform_initial_data(request)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's
        with saving(request, form, obj, self.page_of, is_public=self.is_public, secrets=self.secret_fields):
            self.complete(obj, form)
            super().save_model(request, obj, form, change)

    def complete(self, obj: Any, form: Any) -> None:
        """Set what follows from the changed fields; called under the page's lock, just before saving."""

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return super().get_changelist_form(request, **{"form": RowForm, **kwargs})

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        page = self.page_of(obj)
        with doing(request, page, f"{self.opts.model_name}.delete", str(obj), is_public=self.is_public) as detail:
            detail["code"] = getattr(obj, "code", "")
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)


@admin.register(Page)
class PageAdmin(StaffModelAdmin):
    list_display = ("name", "url", "zone", "updated_at")
    search_fields = ("name", "url", "code")
    readonly_fields = ("code", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("name", "url", "about", "support_url")}),
        (gettext_lazy("Times"), {"fields": ("time_zone", "maintenance_notice_hours")}),
        (gettext_lazy("Known as"), {"fields": ("code", "created_at", "updated_at")}),
    )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The first page is most likely to be where this installation is."""
        given = super().get_changeform_initial_data(request)
        first = {} if Page.objects.exists() else {"url": settings.PUBLIC_URL or f"http://localhost:{settings.PORT}"}
        return first | given

    @admin.display(description=gettext_lazy("time zone"), ordering="time_zone")
    def zone(self, page: Page) -> str:
        return zone_title(page.time_zone)


@admin.register(AuditEntry)
class AuditEntryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """To read only: nobody adds, changes or deletes an entry."""

    list_display = ("created_at", "actor", "action", "target", "page")
    list_filter = ("page", "action")
    list_select_related = ("page",)
    search_fields = ("actor", "action", "target")
    date_hierarchy = "created_at"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(ADMINISTER)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ADMINISTER)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
