"""Run in an installation that was upgraded: what it had is there and works; prints what it found as JSON."""

import json
import os


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "statuspage.settings")
    import django

    django.setup()
    from django.apps import apps
    from django.test import Client

    from delivery.ledger.claims import claim
    from delivery.ledger.reconcile import reconcile
    from delivery.models import Account, Notice
    from delivery.receipt import build_receipt
    from incidents.models import Incident, Phase, Post
    from tests.upgrades.records import our_models

    counts = {model._meta.label: model._base_manager.count() for model in our_models(apps)}
    incident = Incident.objects.get(name="Errors")
    told = Notice.objects.filter(thread=incident.code).earliest("pk")
    receipt = build_receipt(told)
    home = Client().get("/", headers={"host": incident.page.host})
    incident.post(Post("Better.", Phase.MONITORING))
    batch = claim("email", 10)
    print(
        json.dumps(
            {
                "counts": counts,
                "receipt": [receipt.expected, receipt.sent, receipt.pending],
                "disagreements": reconcile(60, everything=True)[0],
                "credentials": Account.objects.get().credentials,
                "home": [home.status_code, "Some systems are down" in home.text, "Errors" in home.text],
                "claimed": len(batch.recipients) if batch else 0,
            }
        )
    )


if __name__ == "__main__":
    main()
