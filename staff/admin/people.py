"""The accounts of staff: who may administer makes them and puts them into the two groups.

Only a superuser touches superusers, or hands out rights one by one; anybody else could make themselves one.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext, gettext_lazy

from pages.models import record_audit
from staff.admin.pages import AdministerOnly, StaffModelAdmin

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class StaffAccountAdmin(AdministerOnly, StaffModelAdmin, UserAdmin):  # type: ignore[type-arg]
    is_public = False
    secret_fields = frozenset({"password", "password1", "password2", "usable_password"})
    list_display = ("username", "email", "rights", "is_active", "last_login")
    list_filter = ("groups", "is_active")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (gettext_lazy("Person"), {"fields": ("first_name", "last_name", "email")}),
        (gettext_lazy("Rights"), {"fields": ("is_active", "is_staff", "groups")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "usable_password", "password1", "password2", "email", "groups")}),)

    @admin.display(description=gettext_lazy("May"))
    def rights(self, user: User) -> str:
        if user.is_superuser:
            return gettext("everything")
        return ", ".join(group.name for group in user.groups.all()) or gettext("nothing")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Two groups are two boxes to tick."""
        return super().formfield_for_manytomany(db_field, request, widget=CheckboxSelectMultiple, **kwargs)

    def page_of(self, obj: Any) -> None:
        return None

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_within_reach(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_within_reach(request, obj)

    def _is_within_reach(self, request: HttpRequest, obj: User | None) -> bool:
        return obj is None or not obj.is_superuser or request.user.is_superuser

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("groups")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's
        if not change:
            obj.is_staff = True
        super().save_model(request, obj, form, change)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002  # Django's
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            if request.method == "POST" and response.status_code == 302:
                record_audit(None, request.user.get_username(), "user.password", str(User.objects.get(pk=id)))
        return response
