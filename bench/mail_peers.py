"""Other ways to send the same mail into the same sink, in mails a second."""

import subprocess
import time
from collections.abc import Callable

from tests.processes import wait_until

SESSIONS = 8
WAIT_SECONDS = 900
PARAGRAPH = "We are looking into slow answers of this part. Messages are stored and will arrive late. "


def smtp_source(port: int, count: int, size: int) -> float:
    """Postfix's own sender, over connections that stay open (-d), as ours do: how fast the sink can be fed."""
    args = ["smtp-source", "-d", "-s", str(SESSIONS), "-m", str(count), "-l", str(size), "-f", "a@acme.example",
            "-t", "b@example.com", f"127.0.0.1:{port}"]  # fmt: skip
    return count / seconds(lambda: subprocess.run(args, check=True))


def django_backend(count: int) -> float:
    """Django's own backend over one connection, one message after the other."""
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

    return count / seconds(send)


def task_per_recipient(count: int) -> float:
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

    return len(ids) / seconds(run)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
