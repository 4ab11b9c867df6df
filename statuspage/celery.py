"""The Celery application. Settings and their reasons: statuspage/settings.py, section Tasks."""

import logging
import os
import signal
import threading
from typing import Any

from celery import Celery, bootsteps
from celery.beat import Service
from celery.bin.base import CeleryOption
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "statuspage.settings")

app = Celery("statuspage")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
logger = logging.getLogger(__name__)


@setup_logging.connect
def keep_settings_logging(**_: Any) -> None:
    """Connected to this signal, it keeps Celery from setting the root logger to its own level instead of LOG_LEVEL."""


class BeatThread(bootsteps.StartStopStep):
    """Beat as a thread of a worker, for `celery worker --with-beat`.

    Celery's own --beat forks a process that nobody watches, and that stays behind when the worker is killed. A thread
    ends with its worker, and a beat that fails ends its worker, so that a supervisor starts both again.
    """

    WAKE_SECONDS = 1  # how late it notices that it should stop

    def __init__(self, worker: Any, *, with_beat: bool = False, **options: Any) -> None:
        super().__init__(worker, **options)
        self.enabled = with_beat
        self.stopping = threading.Event()

    def start(self, worker: Any) -> None:
        scheduler = worker.app.conf.beat_scheduler
        self.service = Service(worker.app, self.WAKE_SECONDS, scheduler_cls=scheduler, remote_control=False)  # type: ignore[call-arg]
        threading.Thread(target=self._run, name="beat", daemon=True).start()

    def stop(self, worker: Any) -> None:
        self.stopping.set()
        self.service.stop()

    def _run(self) -> None:
        try:
            self.service.start()
        except Exception:
            logger.exception("Beat failed; this worker stops, to be started again with it.")
        if not self.stopping.is_set():
            os.kill(os.getpid(), signal.SIGTERM)


app.steps["worker"].add(BeatThread)
app.user_options["worker"].add(
    CeleryOption(["--with-beat"], is_flag=True, help="Run beat in a thread of this worker; one worker only.")
)
