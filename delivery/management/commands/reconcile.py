"""Compare the receipts with the deliveries, as beat does once a day."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from delivery.ledger.reconcile import reconcile
from delivery.models import Notice


class Command(BaseCommand):
    help = "Count deliveries and compare them with the receipts, safe beside running workers. Exits with 1 when any differ."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="Correct receipts that are wrong.")

    def handle(self, *args: Any, repair: bool, **options: Any) -> None:
        wrong, _ = reconcile(float("inf"), repair=repair, everything=True)
        count = Notice.objects.filter(pruned_at=None).count()
        if wrong and not repair:
            raise CommandError(f"{wrong} of {count} receipts are wrong; --repair corrects them.")
        self.stdout.write(f"{count} receipts were compared with their deliveries; {wrong} were corrected.")
