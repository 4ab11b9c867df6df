from celery import shared_task
from django.core.management import call_command
from django.utils import timezone

from staff.sign_in import prune_attempts


@shared_task
def prune() -> None:
    prune_attempts(timezone.now())
    call_command("clearsessions")
