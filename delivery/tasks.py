"""The Celery tasks of delivery. Each may run twice, late or never, because the rows in the database say what is due."""

import time

from celery import shared_task
from django.conf import settings

from core.wake import wake_worker
from delivery.ledger import outbox, reconcile, retention, single_recipient
from delivery.ledger.sender import drain
from delivery.ledger.single_sender import single_sender
from delivery.mail.bounces import events
from delivery.mail.bounces.reading import read_mailbox
from delivery.mail.mail_folder import MailFolder

# Well below CELERY_TASK_SOFT_TIME_LIMIT; a task that has more to do starts its successor.
BUDGET_SECONDS = 30.0
# Clean-up and the bounce mailbox share their queue with fan-out and the sweep, which must not wait longer than this.
TIDY_SECONDS = 5.0


@shared_task
def fan_out(notice_id: int) -> None:
    outbox.expand(notice_id)


@shared_task
def send(kind: str) -> None:
    if not single_sender.begin(kind):
        return
    try:
        _, out_of_time = drain(kind, BUDGET_SECONDS)
    finally:
        was_asked = single_sender.end(kind)
    if out_of_time or was_asked:
        wake_worker("delivery.tasks.send", kind)


@shared_task
def sweep() -> None:
    outbox.sweep()


@shared_task
def read_bounces() -> None:
    read_mailbox(TIDY_SECONDS)


@shared_task
def check_receipts() -> None:
    _, out_of_time = reconcile.reconcile(TIDY_SECONDS)
    if out_of_time:
        wake_worker("delivery.tasks.check_receipts")


@shared_task
def prune_mail_files() -> None:
    if settings.MAIL_DIR and settings.MAIL_FILES_DAYS:
        MailFolder(settings.MAIL_DIR).prune(time.time() - settings.MAIL_FILES_DAYS * 86_400, TIDY_SECONDS)


@shared_task
def tidy() -> None:
    retention.tidy(TIDY_SECONDS)
    events.prune()
    single_recipient.prune()
