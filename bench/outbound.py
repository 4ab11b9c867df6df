"""Webhooks to many hosts over TLS: our way out beside a bare asyncio client that checks nothing, on one core each."""

import statistics
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

from bench.processes import ROOT
from bench.serve import say
from tests.certificates import certificate_for
from tests.processes import Process, free_port, running, wait_until

ENDPOINTS = (1, 100, 10_000)
WANTED = 0.5
LEAST_MESSAGES = 2_000

# Twenty addresses, because one has only some 28,000 ports for connections that come one after the other.
SERVER = """
import asyncio, ssl, sys
port, chain = int(sys.argv[1]), sys.argv[2]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain)
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\nContent-Length: 2\\r\\n\\r\\nok"
LENGTH = 600

async def serve(reader, writer):
    try:
        while head := await reader.readuntil(b"\\r\\n\\r\\n"):
            await reader.readexactly(LENGTH)
            writer.write(ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()

async def main():
    for last in range(1, 21):
        await asyncio.start_server(serve, f"127.0.0.{last}", port, ssl=context, backlog=1000)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
COMMON = """
import sys, time
endpoints, messages, port = map(int, sys.argv[1:])
BODY = b"x" * 600
def address(number):
    return f"127.0.0.{number % 20 + 1}"
def clocks():
    return time.monotonic(), time.process_time()
def report(sent, began):
    assert sent == messages, (sent, messages)
    print(*(messages / (now - then) for now, then in zip(clocks(), began)))
"""
OURS = (
    COMMON
    + """
from concurrent.futures import Future
from core import outbound_many
from core.resolver import Trust
from core.web_requests import Request

def look_up(host):
    found = Future()
    found.set_result([address(int(host.split(".")[0][1:]))])
    return found

outbound_many.look_up = look_up
requests = ((n, Request("POST", f"https://h{n % endpoints}.bench.example:{port}/hook", BODY)) for n in range(messages))
began = clocks()
sent = 0
for _, answer in outbound_many.request_many(requests, trust=Trust.OPERATOR, seconds=30, whole_body=False):
    assert getattr(answer, "status", None) == 200, answer
    sent += 1
report(sent, began)
"""
)
BARE = (
    COMMON
    + """
import asyncio, ssl
context = ssl.create_default_context()

async def post_to(number, places):
    host = f"h{number}.bench.example"
    head = f"POST /hook HTTP/1.1\\r\\nHost: {host}:{port}\\r\\nContent-Length: {len(BODY)}\\r\\n\\r\\n".encode()
    mine = range(number, messages, endpoints)
    connections = min(8, len(mine))
    sent = await asyncio.gather(*(post(host, number, head, mine[first::connections], places) for first in range(connections)))
    return sum(sent)

async def post(host, number, head, mine, places):
    async with places:
        reader, writer = await asyncio.open_connection(address(number), port, ssl=context, server_hostname=host)
        for _ in mine:
            writer.write(head + BODY)
            answer = await reader.readuntil(b"\\r\\n\\r\\n")
            assert answer.startswith(b"HTTP/1.1 200")
            await reader.readexactly(2)
        writer.close()
    return len(mine)

async def main():
    places = asyncio.Semaphore(500)
    return sum(await asyncio.gather(*(post_to(number, places) for number in range(endpoints))))

began = clocks()
report(asyncio.run(main()), began)
"""
)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5, help="of each client at each size, alternating (5)")


def main(options: Namespace) -> None:
    with tempfile.TemporaryDirectory() as directory:
        chain = certificate_for("*.bench.example", Path(directory))
        port = free_port()
        with running([sys.executable, "-c", SERVER, str(port), str(chain)]) as server:
            _wait(server)
            for endpoints in ENDPOINTS:
                _compare(endpoints, max(endpoints, LEAST_MESSAGES), port, chain, options.rounds)


def _wait(server: Process) -> None:
    wait_until(lambda: "ready" in server.output, within=30, what="the server")


def _compare(endpoints: int, messages: int, port: int, chain: Path, rounds: int) -> None:
    ratios, by_cpu, rates = [], [], []
    for _ in range(rounds):
        ours, bare = (_measure(client, endpoints, messages, port, chain) for client in (OURS, BARE))
        ratios.append(ours[0] / bare[0])
        by_cpu.append(ours[1] / bare[1])
        rates.append(ours[0])
    name = f"outbound, {endpoints} endpoint{'s' * (endpoints > 1)}"
    say(f"{name}, messages a second", f"{statistics.median(rates):,.0f}")
    for what, values in (("÷ bare client", ratios), ("a CPU second ÷ bare client", by_cpu)):
        say(
            f"{name}, {what}",
            f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f}; wanted {WANTED})",
        )


def _measure(client: str, endpoints: int, messages: int, port: int, chain: Path) -> tuple[float, float]:
    """Messages a second by the wall clock and by the client's own CPU time, both without its start."""
    done = subprocess.run(
        [sys.executable, "-c", client, str(endpoints), str(messages), str(port)],
        check=False, cwd=ROOT, env={"SSL_CERT_FILE": str(chain), "PATH": ""}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"The client failed: {done.stderr[-2000:]}")
    wall, cpu = done.stdout.split()
    return float(wall), float(cpu)
