"""`manage.py up` prepares the place, then becomes the supervisor of all processes (`statuspage/processes.py`)."""

import contextlib
import fcntl
import hashlib
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from delivery.queues import all_queues
from pages.models import Page
from statuspage.demo import build_demo
from statuspage.environment import Environment
from statuspage.health import public_host
from statuspage.processes import ProcessPlan, replace_this_process
from statuspage.stream import JsonLines

env = Environment()


def run(*, demo: bool) -> NoReturn:
    """Does not return: the exit code is that of `processes.run`."""
    os.umask(0o077)  # the database, mails and logs are nobody else's, also in a directory that others may enter
    with claim_data_dir() as lock:
        refuse_busy_port(settings.HOST, settings.PORT)
        prepare(demo=demo)
        has_page = Page.objects.exists()
        connections.close_all()
        replace_this_process(plan(lock, has_page=has_page))


def prepare(*, demo: bool) -> None:
    migrate()
    collect_static()
    say_account(create_first_account())
    if demo and not Page.objects.exists():
        say("Filling an empty database with a demo page")
        build_demo(public_url())


def plan(lock: int, *, has_page: bool) -> ProcessPlan:
    return ProcessPlan(
        base_dir=str(settings.BASE_DIR),
        data_dir=str(settings.DATA_DIR),
        host=settings.HOST,
        port=settings.PORT,
        public_host=public_host(),
        broker_url=env.text("REDIS_URL"),
        queues=all_queues(),
        watched=bool(settings.WATCHED),
        json_lines=settings.LOG_FORMAT == "json",
        ready_lines=ready_lines(has_page=has_page),
        lock=lock,
    )


def ready_lines(*, has_page: bool) -> list[str]:
    page = f"{public_url()}/" if has_page else f"none yet: make the first one at {public_url()}/staff/"
    return [
        f"Page    {page}",
        f"Staff   {public_url()}/staff/",
        f"Mail    {where_mail_goes()}",
        "Ready. Ctrl-C stops everything.",
    ]


def say(line: str) -> None:
    if settings.LOG_FORMAT == "json":
        JsonLines(sys.stdout).write("up", line.strip())
        return
    print(line, flush=True)  # noqa: T201 - the command's own words, before there is a stream to prefix


def where_mail_goes() -> str:
    if settings.MAIL_DIR:
        return f"{settings.MAIL_DIR}/ (no SMTP server is configured)"
    return f"through {settings.EMAIL_HOST}, port {settings.EMAIL_PORT}"


def public_url() -> str:
    return settings.PUBLIC_URL or f"http://localhost:{settings.PORT}"


@contextlib.contextmanager
def claim_data_dir() -> Iterator[int]:
    """One `up` per data directory: a second one would send from the same database file. Gives the locked file."""
    with (settings.DATA_DIR / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise CommandError(
                f"Already running on {settings.DATA_DIR} (process {lock.read().strip() or 'unknown'}). "
                "Stop that one first, or set DATA_DIR to another directory."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock.fileno()


def refuse_busy_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host} port {port}: {error.strerror}. Set PORT to a free one, such as PORT={port + 1}."
            ) from None


def migrate() -> None:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        say(f"Preparing the database ({len(waiting)} migrations)")
        call_command("migrate", interactive=False, verbosity=0)


def collect_static() -> None:
    """Store static files under hashed names, unless what is stored already matches the sources."""
    if settings.DEBUG:
        return
    print_of_sources = fingerprint_static()
    stamp = Path(settings.STATIC_ROOT) / ".sources"
    if stamp.exists() and stamp.read_text() == print_of_sources:
        return
    say("Collecting static files")
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(print_of_sources)


def fingerprint_static() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            state = Path(storage.path(path)).stat()
            digest.update(f"{path}:{state.st_size}:{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def create_first_account() -> tuple[str, str] | None:
    """The name and password of a new staff account; None when somebody can sign in already."""
    if User.objects.filter(is_active=True, is_staff=True).exists():
        return None
    email = env.text("ADMIN_EMAIL")
    name, password = email or "admin", env.text("ADMIN_PASSWORD")
    User.objects.create_superuser(name, email, password or (password := secrets.token_urlsafe(12)))
    return name, password


def say_account(account: tuple[str, str] | None) -> None:
    if account is None:
        return
    name, password = account
    shown = "the one in ADMIN_PASSWORD" if env.text("ADMIN_PASSWORD") else f"{password}   (shown only this once)"
    say(f"\n  Staff account   {name}\n  Password        {shown}\n")
