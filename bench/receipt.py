"""The ledger alone: a receipt of a million deliveries while senders record, and what claiming and recording one row costs."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path

from bench.processes import ROOT
from bench.serve import say
from tests.processes import PostgresServer

WANTED_MS = 50
LEAST_ROUNDS = 5
LOOK_EVERY_SECONDS = 0.1

LEDGER = """
import time, django; django.setup()
from django.db import connection
from delivery.contract import DeliveryError, SendResult
from delivery.ledger import outbox
from delivery.ledger.claims import claim
from delivery.ledger.recording import record
from delivery.models import Notice
from pages.models import Page

outbox.wake_on_commit = lambda *args: None

def publish(people):
    page = Page.objects.create(name="Acme", url=f"https://status{Page.objects.count()}.acme.example")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO subscribers_subscriber (page_id, code, channel, address, state, incident_code, created_at)"
            " SELECT %s, lpad(to_hex(%s * 16777216::bigint + n), 12, '0'), 'email', 'person' || n || '@example.com',"
            " 'active', '', now() FROM generate_series(1, %s) n", [page.pk, page.pk, people])
        cursor.execute("ANALYZE")
    code = f"notice{page.pk:06}"
    notice = Notice.objects.create(page=page, code=code, thread=code, stage="first", title="Slow answers",
        status_label="Identified", severity="major", body="Slow.", body_html="<p>Slow.</p>", link=page.url)
    outbox.expand(notice.pk)
    return notice

REFUSED = DeliveryError("550 no such user", permanent=True)

def send(refused_each=2**62):
    rows = 0
    while batch := claim("email", 500):
        rows += len(batch.recipients)
        record(batch, [SendResult(pk, None if pk % refused_each else REFUSED) for pk in list(batch.recipients)])
    return rows
"""
RATE = """
import sys
publish(1_000)
send()
publish(int(sys.argv[1]))
began, cpu = time.perf_counter(), time.process_time()
rows = send()
print((time.perf_counter() - began) / rows * 1e6, (time.process_time() - cpu) / rows * 1e6)
"""
PUBLISH = """
import sys
print(publish(int(sys.argv[1])).pk)
"""
MIGRATE = "from django.core.management import call_command\ncall_command('migrate', verbosity=0)"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=50_000, help="claimed and recorded in each round")
    parser.add_argument("--rounds", type=int, default=LEAST_ROUNDS, help="rounds of claiming and recording, at least 5")
    parser.add_argument("--beside", type=Path, help="another checkout, measured in turns with this one")


def main(options: Namespace) -> None:
    _measure_rate(options)
    _measure_receipt(options.deliveries)


def _measure_rate(options: Namespace) -> None:
    """Alternating with the other checkout, each round in a new database."""
    checkouts = {"": ROOT} | ({"_beside": options.beside} if options.beside else {})
    costs: dict[str, list[list[float]]] = {name: [] for name in checkouts}
    for _ in range(max(options.rounds, LEAST_ROUNDS)):
        for name, root in checkouts.items():
            with ExitStack() as stack:
                environ = prepare_database(stack, root)
                printed = run_part(root, environ, LEDGER + RATE, options.rows)
                costs[name].append([float(each) for each in printed.split()])
    for name, found in costs.items():
        for what, values in zip(("us_each", "cpu_us_each"), zip(*found, strict=True), strict=True):
            say(f"ledger.claim_and_record{name}.{what}", f"{statistics.median(values):.1f}")
            say(f"ledger.claim_and_record{name}.{what}_spread", f"{min(values):.1f}-{max(values):.1f}")


def _measure_receipt(deliveries: int) -> None:
    """Looks at the receipt while two senders claim and record all they can, then when all is done. One recipient of
    2,000 is refused, so that failures are looked into as well."""
    with ExitStack() as stack:
        environ = prepare_database(stack, ROOT)
        os.environ |= environ
        notice_id = int(run_part(ROOT, environ, LEDGER + PUBLISH, deliveries))
        import django

        django.setup()
        from django.db import connections

        from delivery.ledger.compaction import compact_all
        from delivery.models import Tally

        stack.callback(connections.close_all)
        senders = [_start(ROOT, environ, LEDGER + "send(2_000)") for _ in range(2)]
        moving: list[float] = []
        while any(sender.poll() is None for sender in senders):
            moving.append(_look_ms(notice_id))
            time.sleep(LOOK_EVERY_SECONDS)
        if any(sender.returncode for sender in senders):
            raise RuntimeError("a sender has failed")
        say("receipt.deliveries", str(deliveries))
        say("receipt.tallies", str(Tally.objects.count()))
        _say_looks("receipt.while_sending_ms", moving)
        say("receipt.while_sending_ms_wanted", str(WANTED_MS))
        _say_looks("receipt.finished_ms", [_look_ms(notice_id) for _ in range(20)])
        compact_all()
        _say_looks("receipt.compacted_ms", [_look_ms(notice_id) for _ in range(20)])


def _look_ms(notice_id: int) -> float:
    from delivery.models import Notice
    from delivery.receipt import build_receipt

    began = time.perf_counter()
    build_receipt(Notice.objects.get(pk=notice_id))
    return (time.perf_counter() - began) * 1000


def _say_looks(name: str, looks: list[float]) -> None:
    ordered = sorted(looks)
    say(name, f"{statistics.median(ordered):.1f}")
    say(f"{name}_spread", f"{ordered[0]:.1f}-{ordered[-1]:.1f}")
    say(f"{name}_p95", f"{ordered[len(ordered) * 95 // 100]:.1f}")


def prepare_database(stack: ExitStack, root: Path) -> dict[str, str]:
    """A migrated one that syncs to disk: what to add to the environment to use it."""
    directory = tempfile.mkdtemp(prefix="sp-bench-")
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    database = PostgresServer(on_disk=True)
    stack.callback(database.close)
    environ = {
        "DJANGO_SETTINGS_MODULE": "statuspage.settings",
        "DATABASE_URL": database.url,
        "DATA_DIR": directory,
        "SECRET_KEY": "bench " * 12,
        "EMAIL_URL": "smtp://127.0.0.1:1",
        "LOG_LEVEL": "ERROR",
    }
    run_part(root, environ, LEDGER + MIGRATE)
    return environ


def _start(root: Path, environ: dict[str, str], code: str, *args: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, args)]
    env = os.environ | environ | {"PYTHONPATH": str(root)}
    return subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.PIPE, text=True)


def run_part(root: Path, environ: dict[str, str], code: str, *args: int) -> str:
    process = _start(root, environ, code, *args)
    printed, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("a part of the benchmark has failed")
    return printed
