"""The base of every staff screen for data, and the screens for pages and the audit log."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import models, transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from pages.models import AuditEntry, Page, record_audit, zone_title
from staff.admin.changes import ChangesForm, RowForm

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
        with transaction.atomic():
            self._tell_public(obj)
            if change and isinstance(form, ChangesForm):
                form.take_the_rest_as_stored()
            self.complete(obj, form)
            if change and hasattr(obj, "updated_at"):
                obj.updated_at = timezone.now()
            super().save_model(request, obj, form, change)
            self._audit(request, obj, "change" if change else "add", fields=self._describe_changes(form, change=change))

    def complete(self, obj: Any, form: Any) -> None:
        """Set what follows from the changed fields; called under the page's lock, just before saving."""

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return super().get_changelist_form(request, **{"form": RowForm, **kwargs})

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            self._tell_public(obj)
            self._audit(request, obj, "delete", code=getattr(obj, "code", ""))
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)

    def _tell_public(self, obj: Any) -> None:
        page = self.page_of(obj)
        if self.is_public and page is not None and page.pk:
            page.raise_generation()

    def _audit(self, request: HttpRequest, obj: models.Model, deed: str, **detail: Any) -> None:
        page = self.page_of(obj)
        kept = page if page is not None and page.pk else None
        record_audit(kept, request.user.get_username(), f"{self.opts.model_name}.{deed}", str(obj), **detail)

    def _describe_changes(self, form: Any, *, change: bool) -> dict[str, list[str]]:
        """By field: [before, after]; only what changed, and of secrets only that they did."""
        described = {}
        for name in form.changed_data:
            before = form.initial.get(name) if change else None
            values = [before, form.cleaned_data.get(name)]
            described[name] = ["…", "…"] if name in self.secret_fields else [_as_text(value) for value in values]
        return described


def _as_text(value: Any) -> str:
    """As it is kept in the log: a row by its key, so that both sides of a change read alike."""
    if isinstance(value, QuerySet | list):
        return ", ".join(sorted(_as_text(each) for each in value))
    if isinstance(value, models.Model):
        return str(value.pk)
    return "" if value is None else str(value)


@admin.register(Page)
class PageAdmin(StaffModelAdmin):
    list_display = ("name", "url", "zone", "updated_at")
    search_fields = ("name", "url", "code")
    readonly_fields = ("code", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("name", "url", "about", "support_url")}),
        ("Times", {"fields": ("time_zone", "maintenance_notice_hours")}),
        ("Known as", {"fields": ("code", "created_at", "updated_at")}),
    )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The first page is most likely to be where this installation is."""
        given = super().get_changeform_initial_data(request)
        first = {} if Page.objects.exists() else {"url": settings.PUBLIC_URL or f"http://localhost:{settings.PORT}"}
        return first | given

    @admin.display(description="time zone", ordering="time_zone")
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
