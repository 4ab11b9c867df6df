from typing import Any

from django.apps import AppConfig
from django.db.models.signals import pre_delete


class IncidentsConfig(AppConfig):
    name = "incidents"

    def ready(self) -> None:
        pre_delete.connect(forget_hidden, sender="components.Component", dispatch_uid="incidents.forget_hidden")


def forget_hidden(instance: Any, **kwargs: Any) -> None:
    """What updates say of a hidden component goes with it: without the component nothing would hide it."""
    from incidents.models import Affected

    if instance.hidden:
        Affected.objects.filter(component=instance).delete()
