"""Everything in one command: `manage.py up` prepares the place, then runs all processes until it is told to stop."""

import contextlib
import fcntl
import hashlib
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from core.queues import LANES
from pages.models import Page
from statuspage.broker import EmbeddedRedis
from statuspage.demo import build_demo
from statuspage.environment import Environment
from statuspage.health import web_answers
from statuspage.stream import JsonLines
from statuspage.supervisor import Child, Supervisor

LATE_SECONDS = 60
env = Environment()


def run(*, demo: bool) -> int:
    """The exit code: 0 after Ctrl-C or SIGTERM, 1 when a part could not be kept running."""
    os.umask(0o077)  # the database, mails and logs are nobody else's, also in a directory that others may enter
    with claim_data_dir(), contextlib.ExitStack() as stack:
        refuse_busy_port(settings.HOST, settings.PORT)
        migrate()
        collect_static()
        say_account(create_first_account())
        if demo and not Page.objects.exists():
            say("Filling an empty database with a demo page")
            build_demo(public_url())
        has_page = Page.objects.exists()
        connections.close_all()
        children = []
        broker_url = env.text("REDIS_URL")
        if not broker_url:
            redis = stack.enter_context(EmbeddedRedis(settings.DATA_DIR / "redis.sock"))
            children, broker_url = [Child("redis", redis.command, quiet=True, last_to_stop=True)], redis.url
        children += list(commands(broker_url))
        supervisor = Supervisor(children, JsonLines(sys.stdout) if settings.LOG_FORMAT == "json" else None)
        return supervisor.run(lambda: announce(supervisor, has_page=has_page))


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
def claim_data_dir() -> Iterator[None]:
    """One `up` per data directory: a second one would send from the same database file."""
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
        yield


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


def commands(broker_url: str) -> Iterator[Child]:
    """Web, one worker per lane so that a slow one never holds up another, and the clock."""
    shared = {"REDIS_URL": broker_url, "PYTHONUNBUFFERED": "1"}
    # This command has made Django's checks; four more rounds of them would double the start.
    shared["CELERY_SKIP_CHECKS"] = "1"
    # glibc keeps a heap for each thread; one for all holds a large page in 15 MiB less, and the interpreter's lock
    # lets only one thread ask at a time anyway.
    shared["MALLOC_ARENA_MAX"] = "1"
    # Said three times over nine lines to whoever tries this as root; a container runs as its own user.
    shared["PYTHONWARNINGS"] = "ignore:You're running the worker with superuser privileges"
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--quiet", "--app", "statuspage"]
    yield Child("web", [*python, "statuspage.web"], shared)
    for lane in LANES:
        name = f"worker-{lane.rpartition('.')[2]}"
        options = ["--queues", lane, "--concurrency", "1", "--hostname", f"{name}@%h"]
        yield Child(name, [*celery, "worker", *options, "--without-gossip", "--without-mingle"], shared)
    yield Child("beat", [*celery, "beat", "--pidfile="], shared)
    if settings.WATCHED:
        yield Child("watch", [sys.executable, str(settings.BASE_DIR / "manage.py"), "watch"], shared)


def announce(supervisor: Supervisor, *, has_page: bool) -> None:
    """Say the addresses once the page really answers; in a thread, so that lines are shown meanwhile."""

    def wait() -> None:
        late = time.monotonic() + LATE_SECONDS
        while not web_answers("/"):
            if time.monotonic() > late:
                supervisor.say("The page does not answer yet. If the lines of “web” show an error, that is why.")
                late += LATE_SECONDS
            time.sleep(0.2)
        if has_page:
            supervisor.say(f"Page    {public_url()}/")
        else:
            supervisor.say(f"Page    none yet: make the first one at {public_url()}/admin/pages/page/add/")
        supervisor.say(f"Staff   {public_url()}/admin/")
        supervisor.say(f"Mail    {where_mail_goes()}")
        supervisor.say("Ready. Ctrl-C stops everything.")

    threading.Thread(target=wait, daemon=True).start()
