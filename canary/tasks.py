from celery import shared_task

from canary import heartbeats


@shared_task
def beat() -> None:
    heartbeats.beat()
