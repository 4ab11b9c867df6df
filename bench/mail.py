"""Telling subscribers by mail: mails a second through the real path, beside other ways to send the same mail.

Everything shares one machine: PostgreSQL, Redis, Celery workers and Postfix's smtp-sink, which throws the mail
away. Its counterpart smtp-source says how fast that sink can be fed. Run `python -m bench.mail`.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.processes import PostgresServer, Process, RedisServer, answers, free_port, wait_until

SESSIONS = 8
WAIT_SECONDS = 900
PARAGRAPH = "We are looking into slow answers of this part. Messages are stored and will arrive late. "


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--subscribers", type=int, default=100_000)
    parser.add_argument("--curve", type=int, nargs="*", default=[1_000, 10_000], help="Further audiences to tell.")
    parser.add_argument("--workers", type=int, default=2, help="Processes that send mail.")
    parser.add_argument("--tasks", type=int, default=1_000, help="Recipients of the task-per-recipient comparison.")


def main(options: Namespace) -> None:
    with ExitStack() as stack:
        port = _start(stack, options.workers)
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        stack.callback(connections.close_all)
        call_command("migrate", verbosity=0)
        rates: dict[str, float] = {}
        size = 0
        for people in sorted({*options.curve, options.subscribers}):
            size = _tell(people, rates)
        reference = _smtp_source(port, min(options.subscribers, 50_000), size)
        django_rate = _django_backend(2_000, size)
        task_rate = _task_per_recipient(options.tasks)
        ours = rates[f"{options.subscribers}"]
        print(f"smtp-source, {SESSIONS} sessions: {reference:.0f} mails/s")
        print(f"Django's backend, one connection: {django_rate:.0f} mails/s")
        print(f"a Celery task per recipient: {task_rate:.0f} mails/s")
        print(f"ours / smtp-source: {ours / reference:.2f}")
        print(f"ours / Django's backend: {ours / django_rate:.1f}")
        print(f"ours / a task per recipient: {ours / task_rate:.1f}")


def _start(stack: ExitStack, workers: int) -> int:
    """The services, with the environment set for them; the sink's port."""
    directory = tempfile.mkdtemp(prefix="sp-bench-")
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    database, redis, port = PostgresServer(on_disk=True), RedisServer(), free_port()
    stack.callback(database.close)
    stack.callback(redis.close)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "statuspage.settings",
        "DATABASE_URL": database.url,
        "REDIS_URL": redis.url,
        "DATA_DIR": directory,
        "SECRET_KEY": "bench " * 12,
        "EMAIL_URL": f"smtp://127.0.0.1:{port}",
        "LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(Path.cwd()),
    }
    _run(stack, ["smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", "200"])
    wait_until(lambda: answers(port), what="smtp-sink")
    celery = [sys.executable, "-m", "celery", "-A", "bench.mail_task", "worker", "--without-mingle", "--without-gossip"]
    _run(stack, [*celery, "-Q", "default,delivery.social", "-c", "1", "-n", "default@bench"])
    mail = _run(stack, [*celery, "-Q", "delivery.email", "-c", str(workers), "-n", "mail@bench", "-l", "INFO"])
    wait_until(lambda: "ready." in mail.output, within=60, what="the mail workers")
    return port


def _run(stack: ExitStack, args: list[str]) -> Process:
    process = Process(args, env={"LOG_LEVEL": "INFO"})
    stack.callback(process.stop)
    return process


def _tell(people: int, rates: dict[str, float]) -> int:
    """Post one update to so many subscribers through the real path; prints what it took. Bytes of a mail."""
    from django.utils import timezone

    from delivery.channels.email import prebuild_notice
    from delivery.models import Delivery, Notice
    from incidents.models import Incident

    page = _page(people)
    started = time.perf_counter()
    update = Incident.open(page, "Slow answers", PARAGRAPH * 24)
    posting = time.perf_counter() - started
    notice = Notice.objects.get(code=update.code)
    waiting = Delivery.objects.filter(notice=notice, state__in=("pending", "sending"))
    wait_until(
        lambda: Notice.objects.filter(pk=notice.pk).exclude(expanded_at=None).exists() and not waiting.exists(),
        within=WAIT_SECONDS,
        what="the last mail",
    )
    notice.refresh_from_db()
    sent = Delivery.objects.filter(notice=notice, state="sent").order_by("sent_at")
    first, last = sent.values_list("sent_at", flat=True)[0], sent.values_list("sent_at", flat=True).reverse()[0]
    assert sent.count() == people == sum(notice.expected.values()), timezone.now()
    assert notice.expanded_at
    seconds = (last - notice.created_at).total_seconds()
    rates[str(people)] = people / seconds
    print(f"{people} subscribers: {people / seconds:.0f} mails/s, {seconds / people * 1e6:.0f} µs each")
    print(f"  posting {posting * 1000:.0f} ms, first mails on record after {(first - notice.created_at).total_seconds():.2f} s,"
          f" expanded after {(notice.expanded_at - notice.created_at).total_seconds():.1f} s")  # fmt: skip
    mail = prebuild_notice(notice)
    return len(mail.headers) + sum(len(piece) for piece in mail.body) + 400


def _page(people: int) -> "object":
    from django.db import connection

    from pages.models import Page

    page = Page.objects.create(name=f"Acme {people}", url=f"https://status{people}.acme.example")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO subscribers_subscriber (page_id, code, channel, address, state, incident_code, created_at)"
            " SELECT %s, lpad(to_hex(%s * 16777216::bigint + n), 12, '0'), 'email', 'person' || n || '@example.com',"
            " 'active', '', now() FROM generate_series(1, %s) n",
            [page.pk, page.pk, people],
        )
        cursor.execute("ANALYZE")
    return page


def _smtp_source(port: int, count: int, size: int) -> float:
    """Postfix's own sender into the same sink, over connections that stay open (-d), as ours do."""
    args = ["smtp-source", "-d", "-s", str(SESSIONS), "-m", str(count), "-l", str(size), "-f", "a@acme.example",
            "-t", "b@example.com", f"127.0.0.1:{port}"]  # fmt: skip
    return count / _seconds(lambda: subprocess.run(args, check=True))


def _django_backend(count: int, size: int) -> float:
    from django.core.mail import EmailMultiAlternatives, get_connection

    def message(number: int) -> EmailMultiAlternatives:
        links = f"https://status.acme.example/unsubscribe/{number} https://status.acme.example/subscriptions/{number}"
        mail = EmailMultiAlternatives("Slow answers", PARAGRAPH * 50 + links, to=[f"p{number}@example.com"])
        mail.attach_alternative(f"<p>{PARAGRAPH * 50}{links}</p>", "text/html")
        return mail

    def send() -> None:
        with get_connection("django.core.mail.backends.smtp.EmailBackend") as connection:
            for number in range(count):
                connection.send_messages([message(number)])

    return count / _seconds(send)


def _task_per_recipient(count: int) -> float:
    """What most applications do: a task loads its subscriber, opens a connection, sends, and saves the row."""
    from bench.mail_task import send_one
    from delivery.models import Delivery, Notice

    notice = Notice.objects.order_by("-pk")[0]
    ids = list(Delivery.objects.filter(notice=notice).values_list("pk", flat=True)[:count])
    Delivery.objects.filter(pk__any_of=ids).update(state="dead")
    waiting = Delivery.objects.filter(notice=notice, state="dead")

    def run() -> None:
        for pk in ids:
            send_one.apply_async(args=[pk], queue="delivery.email")
        wait_until(lambda: not waiting.exists(), within=WAIT_SECONDS, what="the last task")

    return len(ids) / _seconds(run)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    parser = ArgumentParser(prog="bench.mail", description=__doc__)
    add_arguments(parser)
    main(parser.parse_args())
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"memory of the largest process: {used:.0f} MiB")
