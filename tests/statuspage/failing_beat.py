"""The Celery application with a beat that fails at its first tick."""

from celery.beat import Scheduler

from statuspage.celery import app


class FailingScheduler(Scheduler):
    def tick(self) -> float:
        raise RuntimeError("no tick")


app.conf.beat_scheduler = FailingScheduler
