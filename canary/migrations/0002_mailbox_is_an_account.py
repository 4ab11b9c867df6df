"""The canary's mailbox was a subscriber of an incident that does not exist; it is an account, as its webhook is.

What waits for it goes on waiting, for the account. Backwards nothing is needed: each heartbeat prepares what it needs.
"""

from django.db import migrations
from django.db.models import F

INVENTED = "heartbeat"
NAME = "Canary (heartbeats)"


def move(apps, schema_editor):
    account_model = apps.get_model("delivery", "Account")
    delivery_model = apps.get_model("delivery", "Delivery")
    notice_model = apps.get_model("delivery", "Notice")
    subscriber_model = apps.get_model("subscribers", "Subscriber")
    for subscriber in subscriber_model.objects.filter(incident_code=INVENTED, channel="email").order_by("pk"):
        account, _ = account_model.objects.get_or_create(
            page_id=subscriber.page_id,
            channel="email",
            audience="canary",
            defaults={"name": NAME, "options": {"address": subscriber.address}},
        )
        heartbeats = notice_model.objects.filter(page_id=subscriber.page_id, audience="canary").values("pk")
        mine = delivery_model.objects.filter(notice__in=heartbeats, subscriber_id=subscriber.pk)
        mine.update(subscriber_id=None, account_id=account.pk)
        subscriber.delete()
    notice_model.objects.filter(audience="canary", thread=INVENTED).update(thread=F("code"))


class Migration(migrations.Migration):
    dependencies = [
        ("canary", "0001_initial"),
        ("delivery", "0002_bounce_mailbox_reading"),
        ("subscribers", "0001_initial"),
    ]

    operations = [migrations.RunPython(move, migrations.RunPython.noop, elidable=True)]
