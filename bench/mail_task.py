"""The product's Celery app, with one more task for the comparison: one recipient each."""

from celery import shared_task

from statuspage.celery import app

__all__ = ["app", "send_one"]


@shared_task
def send_one(pk: int) -> None:
    from django.core.mail import EmailMultiAlternatives
    from django.utils import timezone

    from delivery.models import Delivery

    delivery = Delivery.objects.select_related("notice", "subscriber").get(pk=pk)
    text = delivery.notice.body * 2
    mail = EmailMultiAlternatives(delivery.notice.title, text, to=[delivery.address])
    mail.attach_alternative(f"<p>{text}</p>", "text/html")
    mail.send()
    delivery.state, delivery.sent_at = Delivery.State.SENT, timezone.now()
    delivery.save()
