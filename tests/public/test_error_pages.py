import logging
from typing import TYPE_CHECKING

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from pages.models import Page
from tests.public.faults import database_down

if TYPE_CHECKING:
    from tests.public.conftest import Get

ACME = "status.acme.localhost"


def test_an_address_without_anything_leads_on(get: "Get", acme: Page) -> None:
    answer = get("/no-such-thing")
    page = BeautifulSoup(answer.content, "html.parser")
    assert answer.status_code == 404
    assert {"/", "/history"} <= {link["href"] for link in page.select("main a")}
    assert "Acme Status" in page.get_text()
    assert "no-such-thing" not in page.get_text()


def test_nothing_found_is_said_without_a_database_too(get: "Get", acme: Page) -> None:
    with database_down():
        assert get("/no-such-thing").status_code == 404


def test_an_error_of_ours_is_admitted_without_details(
    acme: Page, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("public.views.name_affected", fail)
    with caplog.at_level(logging.CRITICAL):
        answer = Client(raise_request_exception=False).get("/", headers={"host": ACME})
    assert answer.status_code == 500
    assert "Something broke here" in answer.content.decode()
    assert "secret detail" not in answer.content.decode()
    assert "Cache-Control" not in answer


def test_browsers_find_an_icon_and_robots_their_rules(get: "Get", acme: Page) -> None:
    assert get("/favicon.ico")["Content-Type"] == "image/svg+xml"
    assert "Disallow: /admin/" in get("/robots.txt").content.decode()


def test_without_any_page_staff_are_led_to_make_the_first(db: None, client: Client) -> None:
    answer = client.get("/")
    page = BeautifulSoup(answer.content, "html.parser")
    assert answer.status_code == 404
    assert "There is no status page here yet" in page.get_text()
    assert [link["href"] for link in page.select("main a")] == ["/staff/page/"]


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/api/nothing", "*/*"),
        ("/v1/pages/x", "text/html"),
        ("/nothing", "application/json"),
        ("/incidents/nothing.json", "application/json, */*;q=0.5"),
    ],
)
def test_a_program_is_told_in_json(client: Client, acme: Page, path: str, accept: str) -> None:
    response = client.get(path, headers={"host": acme.host, "accept": accept})
    assert (response.status_code, response["Content-Type"]) == (404, "application/json")
    assert response.json() == {"error": "not found", "message": f"There is nothing at {path}."}
    assert response["Cache-Control"] == "public, max-age=10"


def test_a_browser_gets_a_page_that_may_be_kept_for_a_moment(client: Client, acme: Page) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    response = client.get("/nothing", headers={"host": acme.host, "accept": accept})
    assert response["Content-Type"].startswith("text/html")
    assert (response["Cache-Control"], response["Vary"]) == ("public, max-age=10", "Accept")


@pytest.mark.parametrize("path", ["/", "/history", "/api/v2/summary.json", "/history.rss"])
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_another_method_is_told_which_ones_there_are(acme: Page, path: str, method: str) -> None:
    response = getattr(Client(enforce_csrf_checks=True), method)(path, headers={"host": acme.host})
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")
