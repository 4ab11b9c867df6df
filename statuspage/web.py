"""The web server: uvicorn, one process per core up to four unless WEB_PROCESSES says otherwise.

Run as `python -m statuspage.web`; HOST and PORT say where it listens. The application is loaded once, before
the processes are forked: that halves the work of a start, and one that cannot be loaded ends it.
"""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess

import uvicorn
from django.conf import settings
from django.utils.log import configure_logging

from core.bodies import App
from statuspage.supervisor import CANNOT_START

GRACE_SECONDS = 5
REPLACE_AFTER_SECONDS = 1.0

log = logging.getLogger(__name__)


def main() -> int:
    """The exit code; CANNOT_START when the application cannot be loaded."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "statuspage.settings")
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
    try:
        application = load_application()
    except Exception:
        log.exception("the application cannot be loaded")
        return CANNOT_START
    count = settings.WEB_PROCESSES
    log.info("serving on %s port %s with %s processes", settings.HOST, settings.PORT, count)
    config = configure(application)
    with config.bind_socket() as listener:
        if count == 1:
            uvicorn.Server(config).run([listener])
        else:
            WebProcesses(config, listener, count).run()
    return 0


def load_application() -> App:
    """With all its addresses, which Django would otherwise import at the first request."""
    from django.urls import get_resolver

    from statuspage.asgi import application

    assert get_resolver().url_patterns  # noqa: S101 - reading them is what imports them
    return application


def configure(application: App) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        host=settings.HOST,
        port=settings.PORT,
        loop="uvloop",
        http="statuspage.protocol:Protocol",
        log_config=None,  # that is Django's
        access_log=False,
        proxy_headers=False,  # Django reads them, as far as TRUSTED_PROXY_COUNT allows
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


class WebProcesses:
    """Several processes that serve one socket, until SIGTERM or SIGINT. One that ends by itself is replaced.

    Why uvicorn's own manager is not used: docs/architecture.md, "Processes".
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket, count: int) -> None:
        self.config, self.listener, self.count = config, listener, count
        self.processes: list[ForkProcess] = []
        self.stopping = False

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self.processes = [self._start() for _ in range(self.count)]
        while not self.stopping:
            wait([each.sentinel for each in self.processes], timeout=REPLACE_AFTER_SECONDS)
            self._replace_ended()
        for each in self.processes:
            self._end(each)

    def _stop(self, _number: int, _frame: object) -> None:
        self.stopping = True
        for each in self.processes:
            each.terminate()

    def _replace_ended(self) -> None:
        ended = [each for each in self.processes if not each.is_alive()]
        if self.stopping or not ended:
            return
        log.error("a web process ended (exit code %s), starting another", ended[0].exitcode)
        time.sleep(REPLACE_AFTER_SECONDS)  # one that ends at once must not keep the machine busy
        self.processes = [self._start() if each in ended else each for each in self.processes]

    def _start(self) -> ForkProcess:
        process = multiprocessing.get_context("fork").Process(target=self._serve, daemon=True)
        process.start()
        return process

    def _serve(self) -> None:
        """In the new process, which inherits the signal handlers of its parent."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        uvicorn.Server(self.config).run([self.listener])

    def _end(self, process: ForkProcess) -> None:
        """SIGTERM is sent again each second: a process that was only starting has not received the first."""
        for _ in range(2 * GRACE_SECONDS):
            if process.is_alive():
                process.terminate()
                process.join(1)
        process.kill()
        process.join()


if __name__ == "__main__":
    sys.exit(main())
