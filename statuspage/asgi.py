"""The application for ASGI servers: finished public documents first, Django behind."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "statuspage.settings")

django_application = get_asgi_application()

from public.serving.fast_path import FastPath  # noqa: E402 - needs the applications, which get_asgi_application() loads

application = FastPath(django_application)
