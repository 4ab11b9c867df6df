"""The application for ASGI servers."""

import os

from django.core.asgi import get_asgi_application

from statuspage.bodies import limit_bodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "statuspage.settings")

application = limit_bodies(get_asgi_application())
