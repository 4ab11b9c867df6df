from celery import shared_task
from django.utils import timezone

from subscribers import forgetting


@shared_task
def prune() -> None:
    forgetting.prune(timezone.now())
