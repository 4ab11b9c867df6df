"""The staff app: its two groups with their rights, and Django's admin with our own site."""

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate

# The rights each group gets. Administrators may publish too: in a small team they are the same people.
STAFF_GROUPS = {"Publishers": ["publish"], "Administrators": ["publish", "administer"]}


class StaffConfig(AppConfig):
    name = "staff"
    default = True

    def ready(self) -> None:
        from staff import letters  # noqa: F401 (its letters register themselves)

        post_migrate.connect(create_staff_groups, sender=apps.get_app_config("pages"), dispatch_uid="staff.groups")


class StaffAdminConfig(admin_apps.AdminConfig):
    """In INSTALLED_APPS in the place of django.contrib.admin."""

    default = False
    default_site = "staff.site.StaffSite"


def create_staff_groups(using: str = "default", **kwargs: Any) -> None:
    """Make the two groups with their rights; what somebody added to a group stays.

    After migrating rather than in a migration, because Django itself makes permissions only then.
    """
    from django.contrib.auth.management import create_permissions
    from django.contrib.auth.models import Group, Permission

    create_permissions(apps.get_app_config("pages"), verbosity=0, using=using)
    for name, rights in STAFF_GROUPS.items():
        group, _ = Group.objects.using(using).get_or_create(name=name)
        group.permissions.add(
            *Permission.objects.using(using).filter(content_type__app_label="pages", codename__in=rights)
        )
