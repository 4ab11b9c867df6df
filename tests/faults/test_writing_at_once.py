"""Web server, workers and commands write at the same moment: on SQLite too, nobody is told that it is locked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from delivery.models import Notice
from delivery.receipt import build_receipt
from incidents.models import Incident, Post
from tests.faults.conftest import HOST, subscribe
from tests.faults.visitor import Visitor

if TYPE_CHECKING:
    from pages.models import Page
    from tests.faults.conftest import Deployment

pytestmark = pytest.mark.faults


def test_everybody_writes_at_once_and_nobody_is_refused(deployment: Deployment, page: Page, staff: Visitor):
    deployment.start_workers(2)
    subscribe(page, 300)
    staff.form()  # from here on it has one CSRF cookie for all

    def post_here(number: int) -> int:
        try:
            Incident.open(page, f"Errors {number}", Post("We are looking into it."))
        finally:
            connection.close()
        return 302

    def ask_for_mails(number: int) -> int:
        asked = {"email": f"new{number}@example.org", "scope": "everything"}
        return Visitor(deployment.url, HOST).post("/subscribe", asked).status_code

    with ThreadPoolExecutor(3) as pool:
        here = pool.map(post_here, range(4))
        posted = pool.map(lambda number: staff.post_update(f"Trouble {number}", "Looking.").status_code, range(4))
        asked = pool.map(ask_for_mails, range(8))
        answers = [*here, *posted, *asked]

    assert set(answers) <= {302, 303}, deployment.logs
    for notice in Notice.objects.all():
        deployment.settle(notice)
        assert build_receipt(notice).expected == (1 if notice.is_letter else 300)
    assert Notice.objects.for_people().count() == 8
    assert Notice.objects.count() == 16
    assert all("locked" not in process.output for process in deployment.started)
