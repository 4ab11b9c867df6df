"""Send what is due without a broker or worker, for when those are down."""

import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from delivery import registry
from delivery.ledger import outbox
from delivery.ledger.recording import release_expired
from delivery.ledger.sender import drain
from delivery.models import Delivery, Notice, Pause

State = Delivery.State
SECONDS_PER_CHANNEL = 600.0
WATCH_SECONDS = 2.0


class Command(BaseCommand):
    help = (
        "Expand and send whatever is due, with neither broker nor worker; safe beside running workers. "
        "Prints counts per channel. Exits with 1 when something failed or still waits."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--watch", action="store_true", help="Repeat until stopped by Ctrl-C.")

    def handle(self, *args: Any, watch: bool, **options: Any) -> None:
        if watch:
            return self._watch()
        if not count_waiting():
            return self.stdout.write("Nothing is due.")
        counts = deliver()
        self._print(counts)
        failed = sum(each[State.DEAD] + each[State.UNKNOWN] for each in counts.values())
        waiting = count_waiting()
        if failed or waiting:
            raise CommandError(f"{failed} failed, {waiting} still waiting.{_reasons()}")
        return None

    def _watch(self) -> None:
        self.stdout.write("Sending whatever becomes due. Stop with Ctrl-C.")
        try:
            while True:
                self._print(deliver())
                time.sleep(WATCH_SECONDS)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")

    def _print(self, counts: dict[str, Counter[str]]) -> None:
        for channel, states in counts.items():
            told = ", ".join(f"{rows} {State(state).label.lower()}" for state, rows in sorted(states.items()) if rows)
            if told:
                self.stdout.write(f"{registry.label_of(channel)}: {told}")
        self.stdout.flush()


def deliver() -> dict[str, Counter[str]]:
    """Expand and send everything that is due, once; returns counts by channel and state."""
    release_expired()
    for notice_id in Notice.objects.filter(expanded_at=None).order_by("pk").values_list("pk", flat=True):
        outbox.expand(notice_id)
    return {channel: drain(channel, SECONDS_PER_CHANNEL)[0] for channel in registry.CHANNELS}


def count_waiting() -> int:
    """How many deliveries wait, and notices that are not expanded."""
    deliveries = Delivery.objects.waiting().count()
    return deliveries + Notice.objects.filter(expanded_at=None).count()


def _reasons() -> str:
    return "".join(f"\n{pause.key} is paused: {pause.reason}" for pause in Pause.objects.order_by("key"))
