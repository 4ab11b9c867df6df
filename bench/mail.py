"""Telling subscribers by mail: mails a second through the real path, beside other ways to send the same mail.

Everything shares one machine: PostgreSQL, Redis, Celery workers and Postfix's smtp-sink, which throws the mail away.
"""

import shutil
import statistics
import time
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench import mail_peers, mail_services
from bench.curve import draw
from bench.mail_peers import PARAGRAPH, WAIT_SECONDS
from bench.mail_services import Services
from bench.serve import say
from tests.processes import wait_until

LEAST_ROUNDS = 5
CURVE = (1_000, 10_000, 100_000, 1_000_000)
PEERS = {"smtp_source": 0.75, "django_backend": 10.0, "task_per_recipient": 60.0}
"""With what our rate should be at least, as a multiple of theirs."""


@dataclass(frozen=True)
class MeasuredRun:
    """One update told to `people`; seconds since staff posted it."""

    people: int
    posting: float
    first: float
    """Until the first mails were on record: they are recorded twice a second."""
    expanded: float
    last: float
    cpu: dict[str, float]
    """Seconds, by part."""

    @property
    def per_second(self) -> float:
        return self.people / self.last


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--subscribers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=LEAST_ROUNDS, help="rounds of each, at least 5")
    parser.add_argument("--curve", type=int, nargs="*", default=CURVE, help="audiences to tell, one after the other")
    parser.add_argument("--workers", type=int, default=2, help="processes that send mail")
    parser.add_argument("--picture", help="where to draw the curve, as SVG")


def main(options: Namespace) -> None:
    if not shutil.which("smtp-sink"):
        # The last part of `make bench`: what the others have measured must not end as a failure.
        say("mail.smtp_sink", "not installed, so nothing is measured (apt-get install postfix)")
        return
    with ExitStack() as stack:
        services = mail_services.start(stack, options.workers)
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        stack.callback(connections.close_all)
        call_command("migrate", verbosity=0)
        _tell(_page(1_000), 1_000, services)  # warms everything up
        _compare(services, options)
        _measure_curve(services, options)


def _compare(services: Services, options: Namespace) -> None:
    """Our rate beside the others', in turns."""
    page = _page(options.subscribers)
    ours: list[MeasuredRun] = []
    rates: dict[str, list[float]] = {name: [] for name in PEERS}
    for _ in range(max(options.rounds, LEAST_ROUNDS)):
        ours.append(_tell(page, options.subscribers, services))
        rates["smtp_source"].append(mail_peers.smtp_source(services.sink_port, 50_000, _size_of_mail()))
        rates["django_backend"].append(mail_peers.django_backend(1_000))
        rates["task_per_recipient"].append(mail_peers.task_per_recipient(300))
    _say_spread("mail.per_second", [each.per_second for each in ours], digits=0)
    for name, wanted in PEERS.items():
        _say_spread(f"mail.{name}_per_second", rates[name], digits=0)
        _say_spread(f"mail.ratio_to_{name}", [a.per_second / b for a, b in zip(ours, rates[name], strict=True)])
        say(f"mail.ratio_to_{name}_wanted", f"{wanted:.2f}")
    for part in services.parts:
        each = statistics.median(told.cpu[part] / told.people for told in ours)
        say(f"mail.cpu_us_each.{part.replace(' ', '_')}", f"{each * 1e6:.0f}")


def _measure_curve(services: Services, options: Namespace) -> None:
    costs: dict[int, float] = {}
    for people in sorted(options.curve):
        page = _page(people)
        rounds = [_tell(page, people, services) for _ in range(1 if people > 100_000 else 3)]
        told = sorted(rounds, key=lambda each: each.last)[len(rounds) // 2]
        costs[people] = told.last / people * 1e6
        say(f"mail.{people}.us_each", f"{costs[people]:.0f}")
        say(f"mail.{people}.cpu_us_each", f"{sum(told.cpu.values()) / people * 1e6:.0f}")
        say(f"mail.{people}.posting_ms", f"{told.posting * 1000:.0f}")
        say(f"mail.{people}.first_on_record_seconds", f"{told.first:.2f}")
        say(f"mail.{people}.expanded_seconds", f"{told.expanded:.1f}")
        say(f"mail.{people}.memory_mib", f"{services.memory_mib():.0f}")
    if options.picture:
        draw(costs, options.picture)


def _say_spread(name: str, values: list[float], digits: int = 2) -> None:
    say(name, f"{statistics.median(values):.{digits}f}")
    say(f"{name}_spread", f"{min(values):.{digits}f}-{max(values):.{digits}f}")


def _tell(page: Any, people: int, services: Services) -> MeasuredRun:
    """Post one update to so many subscribers through the real path."""
    from delivery.models import Delivery, Notice
    from delivery.receipt import build_receipt
    from incidents.models import Incident, Post

    before, started = services.cpu_seconds(), time.perf_counter()
    update = Incident.open(page, "Slow answers", Post(PARAGRAPH * 24))
    posting = time.perf_counter() - started
    notices = Notice.objects.filter(code=update.code)
    waiting = Delivery.objects.filter(notice__code=update.code, state__in=("pending", "sending"))
    wait_until(
        lambda: notices.exclude(expanded_at=None).exists() and not waiting.exists(),
        within=WAIT_SECONDS,
        what="the last mail",
    )
    used = {name: seconds - before[name] for name, seconds in services.cpu_seconds().items()}
    notice = notices.get()
    sent = Delivery.objects.filter(notice=notice, state="sent").order_by("sent_at").values_list("sent_at", flat=True)
    assert sent.count() == people == build_receipt(notice).expected
    assert notice.expanded_at
    first, expanded, last = (
        (at - notice.created_at).total_seconds() for at in (sent[0], notice.expanded_at, sent.reverse()[0])
    )
    return MeasuredRun(people, posting, first, expanded, last, used)


def _page(people: int) -> Any:
    from django.db import connection

    from pages.models import Page

    page = Page.objects.create(name=f"Acme {people}", url=f"https://status{Page.objects.count()}.acme.example")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO subscribers_subscriber (page_id, code, channel, address, state, incident_code, created_at)"
            " SELECT %s, lpad(to_hex(%s * 16777216::bigint + n), 12, '0'), 'email', 'person' || n || '@example.com',"
            " 'active', '', now() FROM generate_series(1, %s) n",
            [page.pk, page.pk, people],
        )
        cursor.execute("ANALYZE")
    return page


def _size_of_mail() -> int:
    """Bytes, with what is filled in for a recipient."""
    from delivery.channels.email import prebuild_notice
    from delivery.models import Notice

    mail = prebuild_notice(Notice.objects.order_by("-pk")[0])
    return len(mail.headers) + sum(len(piece) for piece in mail.body) + 400
