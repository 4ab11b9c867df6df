from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from subscribers.forgetting import prune


class Command(BaseCommand):
    help = "Delete requests nobody confirmed for a week and people who left a month ago. Beat does it hourly."

    def handle(self, *args: Any, **options: Any) -> None:
        done = prune(timezone.now())
        self.stdout.write(", ".join(f"{name}: {count}" for name, count in done.items()))
