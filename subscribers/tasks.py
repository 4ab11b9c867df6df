from celery import shared_task
from django.core.management import call_command
from django.utils import timezone

from statuspage.sign_in import prune_attempts
from subscribers import forgetting


@shared_task
def prune() -> None:
    now = timezone.now()
    forgetting.prune(now)
    prune_attempts(now)
    call_command("clearsessions")
