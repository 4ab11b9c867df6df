"""PostgreSQL is shot while people read, post and are told. Pages stay up; no word and no recipient is lost."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from bs4 import BeautifulSoup
from django.core.management import call_command
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from delivery.models import Notice
from incidents.models import Incident, Post, Update
from tests.faults.conftest import METRICS_TOKEN, PEOPLE, subscribe
from tests.faults.outcome import assert_nothing_was_lost
from tests.faults.visitor import NEW, Visitor
from tests.processes import PostgresServer, wait_until

if TYPE_CHECKING:
    from pages.models import Page
    from tests.delivery.scripted_smtp import ScriptedServer
    from tests.faults.conftest import Deployment

    Post = Callable[[int], Notice]

pytestmark = [pytest.mark.faults, pytest.mark.once, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def postgres(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[PostgresServer]:
    """A server of this file's own: the session's serves other tests at the same time."""
    server = PostgresServer(survives_kills=True)
    given = dict(connection.settings_dict)
    with django_db_blocker.unblock():
        forget_connections()
        connection.settings_dict |= {"HOST": str(server.directory), "NAME": "postgres"}
        connection.settings_dict["OPTIONS"] = {**given["OPTIONS"], "host": str(server.directory)}
        try:
            call_command("migrate", verbosity=0)
            yield server
        finally:
            forget_connections()
            connection.settings_dict |= given
            server.close()


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[PostgresServer]:
    yield postgres
    postgres.start()
    forget_connections()
    call_command("flush", interactive=False, verbosity=0)


def forget_connections() -> None:
    """Of this process; those that are cut are opened again."""
    connection.close()
    connection.close_pool()


def test_a_database_that_dies_right_after_the_commit_costs_only_time(
    deployment: Deployment, page: Page, database: PostgresServer
):
    deployment.start_workers()
    subscribe(page, 20)
    with transaction.atomic():
        transaction.on_commit(database.kill, robust=True)
        Incident.open(page, "Errors", Post("We are looking into it."))
    wait_until(lambda: "OperationalError" in deployment.logs, within=30, what="the task that found no database")

    database.start()
    forget_connections()
    notice = Notice.objects.get()
    assert notice.expanded_at is None
    deployment.settle(notice)

    assert_nothing_was_lost(notice, deployment.mail)


def cut_all_connections() -> None:
    """But this process's own."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = -1 AND pid <> %s",
                       [connection.connection.info.backend_pid])  # fmt: skip


@pytest.mark.skipif(not shutil.which("prlimit"), reason="needs prlimit, of util-linux, to fill PostgreSQL's disk")
def test_a_database_whose_disk_is_full_that_cuts_connections_and_dies_loses_nobody_among_20000(
    deployment: Deployment, post: Post, relay: ScriptedServer, database: PostgresServer
):
    """B27, B32 and PostgreSQL killed, in the middle of it all, with two workers."""
    workers = deployment.start_workers(2, processes=1)
    notice = post(PEOPLE)
    database.limit_files(2_000_000)  # too little for everybody's deliveries
    deployment.wait(lambda: "File too large" in deployment.logs)
    database.limit_files(None)

    for share in (0.2, 0.3, 0.4):
        deployment.wait(lambda share=share: len(relay.taken) > share * PEOPLE)
        cut_all_connections()
    for _ in range(20):
        cut_all_connections()
        time.sleep(0.05)
    deployment.wait(lambda: len(relay.taken) > 0.6 * PEOPLE)
    database.kill()
    database.start()
    forget_connections()
    deployment.settle(notice, within=90)

    assert all(worker.running() for worker in workers)
    assert_nothing_was_lost(notice, relay, workers_lost=len(workers) * 2)


def test_the_page_stays_up_and_says_how_old_it_is_while_the_database_is_down(
    deployment: Deployment, page: Page, staff: Visitor, database: PostgresServer
):
    visitor = Visitor(deployment.url, staff.host)
    Incident.open(page, "Errors on the Chat API", Post("We are looking into it."))
    wait_until(lambda: "Errors on the Chat API" in visitor.get("/").text, what="the incident on the page")
    assert "X-Edition-Age" not in visitor.get("/").headers
    may_read = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    assert 'statuspage_page_generation{page="status.acme.example"}' in visitor.get("/metrics", **may_read).text

    database.kill()

    wait_until(lambda: int(visitor.get("/").headers.get("X-Edition-Age", 0)) >= 1, what="the page's age")
    answer = visitor.get("/")
    assert answer.status_code == 200
    assert "Errors on the Chat API" in answer.text
    assert visitor.get("/readyz").status_code == 200
    assert visitor.get("/healthz").json()["database"] == "down"
    scraped = visitor.get("/metrics", **may_read)
    assert (scraped.status_code, "The database does not answer" in scraped.text) == (503, True)
    database.start()
    wait_until(lambda: "X-Edition-Age" not in visitor.get("/").headers, what="the page's youth")
    wait_until(lambda: visitor.get("/metrics", **may_read).status_code == 200, what="the numbers")


def test_posting_without_a_database_says_so_saves_nothing_and_keeps_the_text(
    deployment: Deployment, staff: Visitor, database: PostgresServer
):
    fields = staff.form() | {"name": "Errors", "body": "Words that took a while to find."}
    database.kill()

    answer = staff.post(NEW, fields)

    assert answer.status_code == 503
    kept = BeautifulSoup(answer.content, "html.parser").find("textarea")
    assert kept is not None
    assert "Words that took a while to find." in kept.text
    database.start()
    forget_connections()
    assert not Incident.objects.exists()
    wait_until(lambda: staff.post(NEW, fields).status_code == 302, within=20, what="the same form, posted")
    assert Update.objects.get().body == "Words that took a while to find."
