"""The deploy gate: publishes a heartbeat and waits until all of its messages have arrived."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from canary.documents import PATHS, addresses, describe_problems, page_at, read_documents
from canary.findings import explain_missing
from canary.heartbeats import destinations, publish
from canary.inbox import Inbox
from canary.models import Heartbeat, Probe

POLL_SECONDS = 0.25


class Command(BaseCommand):
    help = (
        "Publish a heartbeat now and wait until it has arrived at every destination (docs/canary.md). Exits with 1 and "
        "says where to look if a message is missing or a document is old. For the end of a deployment."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--wait", type=float, default=60, metavar="SECONDS", help="How long at most; 60 if not given."
        )

    def handle(self, *args: Any, wait: float, **options: Any) -> None:
        if not destinations():
            raise CommandError("There is no canary: set CANARY_MAIL_TO or CANARY_WEBHOOK_URL (docs/canary.md).")
        heartbeat = publish()
        if heartbeat is None:
            raise CommandError(
                "There is no page yet, so nobody can be told anything: sign in at /staff/ and make the first one."
            )
        self.stdout.write(f"Heartbeat {heartbeat} published, {settings.CANARY_PROBES} messages to each destination.")
        self.stdout.flush()
        until = time.monotonic() + wait
        if problems := [*self._await(heartbeat, until), *self._read(until)]:
            raise CommandError("\n".join(problems))
        self.stdout.write("Everything has arrived.")

    def _await(self, heartbeat: Heartbeat, until: float) -> list[str]:
        """Wait for all destinations at once; returns sentences about those where messages are missing."""
        awaited = destinations()
        inbox = Inbox(settings.CANARY_IMAP_URL) if settings.CANARY_IMAP_URL else None
        while awaited:
            if inbox and Probe.Destination.MAIL in awaited:
                inbox.run_round()
            for destination in list(awaited):
                probes = heartbeat.probes.filter(destination=destination)
                if not probes.filter(arrived_at=None).exists():
                    awaited.remove(destination)
                    self._say_arrived(heartbeat, list(probes), destination)
            if time.monotonic() >= until:
                break
            time.sleep(POLL_SECONDS)
        problems = [_missing(heartbeat, destination) for destination in awaited]
        if inbox and inbox.trouble:
            problems.append(f"The canary's mailbox cannot be read. {inbox.trouble}")
        return problems

    def _say_arrived(self, heartbeat: Heartbeat, probes: list[Probe], destination: Probe.Destination) -> None:
        times = [probe.arrived_at for probe in probes if probe.arrived_at]
        seconds = [(each - heartbeat.published_at).total_seconds() for each in times]
        self.stdout.write(f"{destination.label}: {len(seconds)} arrived, the last after {max(seconds):.1f} s.")
        self.stdout.flush()

    def _read(self, until: float) -> list[str]:
        """Read the documents until they are current or time is up; returns a sentence for each URL that is not."""
        problems = []
        for base in addresses():
            while wrong := _wrong(base):
                if time.monotonic() >= until:
                    problems.append(f"{base}: {wrong}")
                    break
                time.sleep(POLL_SECONDS)
            else:
                self.stdout.write(f"{base} shows the page as it is now: {', '.join(PATHS)}.")
        return problems


def _wrong(base: str) -> str:
    page = page_at(base)
    return describe_problems(read_documents(base), page.generation) if page else "no page has this host name."


def _missing(heartbeat: Heartbeat, destination: Probe.Destination) -> str:
    probes = heartbeat.probes.filter(destination=destination)
    missing = list(probes.filter(arrived_at=None))
    return f"{destination.label}: {len(missing)} of {probes.count()} did not arrive. {explain_missing(destination, missing)}"
