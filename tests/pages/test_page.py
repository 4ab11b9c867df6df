import threading

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from pages.models import AuditEntry, Page, record_audit


def test_a_page_is_chosen_by_host_and_the_port_is_ignored(acme: Page, globex: Page) -> None:
    assert Page.objects.for_host("status.acme.example") == acme
    assert Page.objects.for_host("STATUS.Globex.example:8443") == globex


def test_an_unknown_host_has_no_page_when_there_are_two(acme: Page, globex: Page) -> None:
    assert Page.objects.for_host("localhost:8000") is None


def test_the_only_page_answers_on_every_host(acme: Page) -> None:
    assert Page.objects.for_host("localhost:8000") == acme


def test_a_deployment_without_pages_answers_nowhere(db: None) -> None:
    assert Page.objects.for_host("localhost") is None


def test_the_host_comes_from_the_public_address(db: None) -> None:
    page = Page.objects.create(name="P", url="https://Status.Example.com:8443/")
    assert (page.host, page.url) == ("status.example.com", "https://Status.Example.com:8443")
    assert page.absolute_url("/history") == "https://Status.Example.com:8443/history"


@pytest.mark.parametrize(
    "url",
    [
        "status.example.com",
        "ftp://status.example.com",
        "https://",
        "https://a.example/x",
        "https://störung.example",
        "https://a.exam\u202eple",
        "https://a.exam\x07ple",
        "https://a b.example",
    ],
)
def test_what_is_not_a_page_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="not a page address"):
        Page(name="P", url=url).clean_fields(exclude=["code"])


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="Mars/Phobos"):
        Page(name="P", url="https://p.example", time_zone="Mars/Phobos").clean_fields()


def test_raising_the_generation_of_one_page_leaves_the_other_alone(acme: Page, globex: Page) -> None:
    before = acme.updated_at
    acme.raise_generation()
    globex.refresh_from_db()
    assert (acme.generation, globex.generation) == (2, 1)
    assert acme.updated_at > before


@pytest.mark.django_db(transaction=True)
def test_two_at_once_raise_the_generation_twice(acme: Page) -> None:
    def raise_it() -> None:
        with transaction.atomic():
            Page.objects.get(pk=acme.pk).raise_generation()
        connection.close()

    threads = [threading.Thread(target=raise_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    acme.refresh_from_db()
    assert acme.generation == 5


def test_an_audit_entry_can_be_neither_changed_nor_deleted(acme: Page) -> None:
    entry = record_audit(acme, "ada", "page.change", "Acme Status", name=["A", "B"])
    with pytest.raises(TypeError):
        entry.save()
    with pytest.raises(TypeError):
        entry.delete()
    with pytest.raises(TypeError):
        AuditEntry.objects.update(actor="nobody")
    with pytest.raises(TypeError):
        AuditEntry.objects.all().delete()
    assert AuditEntry.objects.get().detail == {"name": ["A", "B"]}
