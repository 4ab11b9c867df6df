"""The process of the watch; `manage.py up` and the compose file start it."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from canary.heartbeats import destinations
from canary.watching import Watch


class Command(BaseCommand):
    help = (
        "Watch whether heartbeats arrive and raise alarms when they do not (docs/canary.md). Runs until it is stopped; "
        "needs neither broker nor workers."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        stopped: list[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: stopped.append(number))
        watch = Watch()
        where = " and ".join(destination.label.lower() for destination in destinations())
        told = ", ".join(account.name for account in watch.accounts)
        self.stdout.write(f"Watching {f'heartbeats by {where}' if where else 'deliveries; there is no canary'}.")
        self.stdout.write(
            f"Alarms go to {told}." if told else "No account for alarms is set: staff see alarms on their screen."
        )
        self.stdout.flush()
        watch.run(stop=lambda: bool(stopped))
