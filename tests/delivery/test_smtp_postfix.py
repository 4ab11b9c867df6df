"""A real Postfix as relay, on loopback with a configuration and a queue of its own, which passes all mail to a sink."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from delivery.mail.smtp.outgoing_mail import OutgoingMail, stuff
from delivery.mail.smtp.relay import Relay
from tests.delivery.scripted_smtp import ScriptedServer
from tests.processes import Process, answers, free_port, short_directory, wait_until

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(shutil.which("postfix") is None, reason="Postfix is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root only"),
]
DAEMONS = ("rewrite=trivial-rewrite", "bounce", "defer=bounce", "trace=bounce", "smtp", "anvil")
DAEMONS += ("error", "retry=error", "proxymap", "tlsmgr")


@pytest.fixture
def sink() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def postfix(sink: ScriptedServer, settings: Settings) -> Iterator[Process]:
    """Refuses recipients at gone.example, takes all others."""
    directory, port = short_directory(), free_port()
    directory.chmod(0o755)
    _configure(directory, port, sink.port)
    control = ["postfix", "-c", str(directory)]
    process = Process([*control, "start-fg"])
    try:
        wait_until(lambda: answers(port), within=20, what="Postfix")
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 20
        yield process
    finally:
        subprocess.run([*control, "stop"], check=False, capture_output=True, timeout=20)
        process.stop()
        shutil.rmtree(directory, ignore_errors=True)


def _configure(directory: Path, port: int, sink_port: int) -> None:
    for name in ("queue", "data"):
        (directory / name).mkdir()
    shutil.chown(directory / "data", "postfix")
    settings = {
        "compatibility_level": "3.6",
        "queue_directory": directory / "queue",
        "data_directory": directory / "data",
        "maillog_file": directory / "log",
        "maillog_file_prefixes": directory,
        "myhostname": "relay.example",
        "mydestination": "",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "mynetworks": "127.0.0.0/8",
        "relayhost": f"[127.0.0.1]:{sink_port}",
        "disable_dns_lookups": "yes",
        "smtpd_peername_lookup": "no",
        "alias_maps": "",
        "alias_database": "",
        "smtpd_recipient_restrictions": "check_recipient_access inline:{gone.example=REJECT}, permit_mynetworks, "
        "reject",
    }
    (directory / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    lines = [f"127.0.0.1:{port} inet n - n - - smtpd", "qmgr unix n - n 300 1 qmgr", "cleanup unix n - n - 0 cleanup"]
    for each in DAEMONS:
        name, _, command = each.partition("=")
        lines.append(f"{name} unix - - n - 0 {command or name}")
    lines.append("scache unix - - n - 1 scache")  # refuses to start as more than one
    lines.append("postlog unix-dgram n - n - 1 postlogd")
    (directory / "master.cf").write_text("\n".join(lines) + "\n")


def test_a_real_relay_takes_mails_pipelined_and_passes_them_on(postfix: Process, sink: ScriptedServer):
    people = [f"p{number}@example.com" for number in range(60)]
    gone = {f"p{number}@gone.example" for number in range(3)}
    everybody = [*people[:20], *gone, *people[20:]]
    body = "Subject: dots\r\n\r\n.\r\n..two\r\n" + "x" * 900 + "\r\nlast\r\n"
    relay = Relay()

    outcomes = {
        message.address: error
        for message, error in relay.send_all(
            OutgoingMail(number, "status@acme.example", address, stuff(f"To: <{address}>\r\n{body}".encode()))
            for number, address in enumerate(everybody)
        )
    }
    relay.close()

    assert {address for address, error in outcomes.items() if error} == gone
    assert all(error.permanent for error in outcomes.values() if error)
    wait_until(lambda: len(sink.taken) >= len(people), within=30, what="the mails behind the relay")
    assert sorted(each.address for each in sink.taken) == sorted(people)
    bodies = {each.data.partition(b"\r\n\r\n")[2] for each in sink.taken}
    assert bodies == {body.partition("\r\n\r\n")[2].encode()}
