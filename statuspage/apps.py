from django.apps import AppConfig, apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

import statuspage.celery  # noqa: F401 - tasks of any process belong to this application

# Titles in the admin for apps that are not ours.
HEADINGS = {"auth": "Staff", "axes": "Sign-ins"}


class StatuspageConfig(AppConfig):
    name = "statuspage"

    def ready(self) -> None:
        """In production every process, whatever server started it, refuses to run on unsafe settings."""
        for label, heading in HEADINGS.items():
            apps.get_app_config(label).verbose_name = heading
        from core import lookups  # noqa: F401 (registers itself)
        from statuspage.checks import check_production

        if settings.PRODUCTION and (problems := check_production()):
            raise ImproperlyConfigured("\n".join(f"{each.id}: {each.msg} {each.hint}" for each in problems))
