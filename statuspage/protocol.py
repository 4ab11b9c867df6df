"""What uvicorn's `--http statuspage.protocol:Protocol` loads, before the application: so Django is set up first."""

import statuspage.asgi  # noqa: F401 - sets Django up
from public.serving.server import Protocol

__all__ = ["Protocol"]
