from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class StatuspageConfig(AppConfig):
    name = "statuspage"

    def ready(self) -> None:
        """In production every process, whatever server started it, refuses to run on unsafe settings."""
        from statuspage import lookups  # noqa: F401 (registers itself)
        from statuspage.checks import check_production

        if settings.PRODUCTION and (problems := check_production()):
            raise ImproperlyConfigured("\n".join(f"{each.id}: {each.msg} {each.hint}" for each in problems))
