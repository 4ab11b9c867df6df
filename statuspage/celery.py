"""The Celery application. Settings and their reasons: statuspage/settings.py, section Tasks."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "statuspage.settings")

app = Celery("statuspage")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_settings_logging(**_: Any) -> None:
    """That somebody listens keeps Celery from setting the root logger to its own level, WARNING, over LOG_LEVEL."""
