"""The web server: uvicorn, one process per core up to four unless WEB_PROCESSES says otherwise.

Run as `python -m statuspage.web`; HOST and PORT say where it listens.
"""

import logging
import os

import uvicorn
from django.conf import settings
from django.utils.log import configure_logging

log = logging.getLogger(__name__)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "statuspage.settings")
    # The application itself is loaded by the processes that serve it.
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
    log.info("serving on %s port %s with %s processes", settings.HOST, settings.PORT, settings.WEB_PROCESSES)
    uvicorn.run(
        "statuspage.asgi:application",
        host=settings.HOST,
        port=settings.PORT,
        workers=settings.WEB_PROCESSES,
        loop="uvloop",
        http="httptools",
        log_config=None,  # that is Django's
        access_log=False,
        proxy_headers=False,  # Django reads them, as far as TRUSTED_PROXY_COUNT allows
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
