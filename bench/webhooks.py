"""Webhooks of one update through the ledger: seconds from the first claim until each outcome is on record.

Each has a host of its own that answers after 200 ms; then again with one host among them that never answers.
"""

import sys
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack

from bench.processes import ROOT
from bench.receipt import LEDGER, prepare_database, run_part
from bench.serve import say
from tests.processes import free_port, running, wait_until

SIZES = (1_000, 10_000)

SERVER = """
import asyncio, sys

class Visit(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.received = transport, b""
        self.is_silent = transport.get_extra_info("sockname")[0] == "127.9.9.9"

    def data_received(self, data):
        self.received += data
        head, end, body = self.received.partition(b"\\r\\n\\r\\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\\r\\n")[0] or 0) if end else 1
        if len(body) >= length and not self.is_silent:
            self.received = b""
            asyncio.get_running_loop().call_later(0.2, self.answer)

    def answer(self):
        self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")

async def main():
    loop = asyncio.get_running_loop()
    await loop.create_server(Visit, "0.0.0.0", int(sys.argv[1]), backlog=1000)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
SEND = """
import sys
from delivery.ledger import recording
from delivery.ledger.sender import drain
from delivery.models import Account, Delivery
size, port, with_a_dead_host = map(int, sys.argv[1:])
SECRET = "whsec_" + "c3RhdHVzcGFnZSBzZWNyZXQgZm9yIHRlc3Rz"
page = Page.objects.create(name="Acme", url="https://status.acme.example")
hosts = [f"127.{1 + n // 62500}.{n // 250 % 250}.{n % 250 + 1}" for n in range(size)]
if with_a_dead_host:
    hosts[0] = "127.9.9.9"
Account.objects.bulk_create([
    Account(page=page, channel="webhook", name=host, credentials={"url": f"http://{host}:{port}/hook", "secret": SECRET})
    for host in hosts])
notice = Notice.objects.create(page=page, code="notice000001", thread="notice000001", stage="first", title="Slow answers",
    status_label="Identified", severity="major", body="Slow.", body_html="<p>Slow.</p>", link=page.url)
outbox.expand(notice.pk)

real, recorded = recording.record, []
def record(batch, finished):
    counts = real(batch, finished)
    recorded.append((time.perf_counter(), counts["sent"]))
    return counts
recording.record = record
began, cpu = time.perf_counter(), time.process_time()
drain("webhook", 600)
sent = [at for at, count in recorded if count]
assert notice.deliveries.filter(state="sent").count() == size - with_a_dead_host
print(sent[0] - began, sent[-1] - began, (time.process_time() - cpu) / size * 1e6)
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)


def main(options: Namespace) -> None:
    port = free_port()
    with running([sys.executable, "-c", SERVER, str(port)]) as server:
        wait_until(lambda: "ready" in server.output, within=30, what="the server")
        for size in options.sizes:
            for has_dead_host in (False, True):
                _measure(size, port, has_dead_host=has_dead_host)


def _measure(size: int, port: int, *, has_dead_host: bool) -> None:
    name = f"webhooks.{size}{'.with_a_dead_host' if has_dead_host else ''}"
    with ExitStack() as stack:
        environ = prepare_database(stack, ROOT)
        first, last, cpu = run_part(ROOT, environ, LEDGER + SEND, size, port, int(has_dead_host)).split()
    say(f"{name}.first_on_record_seconds", f"{float(first):.2f}")
    say(f"{name}.last_sent_on_record_seconds", f"{float(last):.2f}")
    say(f"{name}.per_second", f"{size / float(last):.0f}")
    say(f"{name}.cpu_us_each", f"{float(cpu):.0f}")
