import gzip
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import brotli
import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from components.models import Component, Group
from components.status import Status
from incidents.models import Incident, Post
from incidents.phases import Kind, Phase
from pages.models import Page
from public.serving import edition, host_index
from public.serving.edition import Rendered, editions
from public.shapes import Snapshot

if TYPE_CHECKING:
    from tests.public.conftest import Get

ACME, GLOBEX = "status.acme.localhost", "status.globex.localhost"


# Freshness


def test_a_hit_asks_the_database_nothing(
    generation_read_once: None, get: "Get", outage: Incident, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    addresses = ["/", "/fragments/summary", "/history", outage.path, "/api/v2/summary.json", "/history.atom"]
    first = [get(address).content for address in addresses]
    with django_assert_num_queries(0):
        assert [get(address).content for address in addresses] == first


def test_a_cold_front_page_takes_few_queries_whatever_its_size(
    get: "Get", acme: Page, django_assert_max_num_queries: Any
) -> None:
    group = Group.objects.create(page=acme, name="Group")
    for number in range(40):
        Component.objects.create(page=acme, group=group if number % 2 else None, name=f"Part {number}")
    parts = list(acme.components.all())
    for number in range(20):
        update = Incident.open(
            acme, f"Trouble {number}", Post("Looking.", components={parts[number]: Status.MAJOR_OUTAGE})
        )
        update.incident.post(Post("Found it.", Phase.IDENTIFIED, components={parts[number]: Status.PARTIAL_OUTAGE}))
    begins = timezone.now() + timedelta(days=1)
    for number in range(5):
        Incident.open(acme, f"Work {number}", Post("We move.", status=Phase.SCHEDULED, components={parts[number]: Status.UNDER_MAINTENANCE}, window=(begins, begins + timedelta(hours=1))), kind=Kind.MAINTENANCE)  # fmt: skip
    with django_assert_max_num_queries(12):
        assert get("/").status_code == 200


def test_an_update_is_seen_at_the_next_request(get: "Get", outage: Incident) -> None:
    assert "Rolling back" not in get("/").content.decode()
    outage.post(Post("Rolling back.", Phase.IDENTIFIED))
    assert "Rolling back" in get("/").content.decode()


def test_the_generation_is_asked_for_at_most_every_quarter_second(
    get: "Get", outage: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(host_index, "CHECK_SECONDS", 0.25)
    monkeypatch.setattr(host_index, "monotonic", lambda: clock[0])
    get("/")
    outage.post(Post("Rolling back.", Phase.IDENTIFIED))
    clock[0] += 0.2
    assert "Rolling back" not in get("/").content.decode()
    clock[0] += 0.1
    assert "Rolling back" in get("/").content.decode()


def test_a_new_day_is_seen_without_an_update(get: "Get", acme: Page) -> None:
    with time_machine.travel(datetime(2026, 11, 20, 23, 59, 50, tzinfo=UTC), tick=False) as clock:
        assert "Today, 20 November" in get("/").content.decode()
        clock.shift(20)
        assert "Today, 21 November" in get("/").content.decode()


def test_maintenance_is_looked_at_again_when_it_is_announced_and_when_it_starts(acme: Page, chat: Component) -> None:
    now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    with time_machine.travel(now, tick=False) as clock:
        start = now + timedelta(hours=75)
        Incident.open(acme, "Move", Post("We move.", status=Phase.SCHEDULED, components={chat: Status(0)}, window=(start, start + timedelta(hours=1))), kind=Kind.MAINTENANCE)  # fmt: skip
        moments = []
        for _ in range(8):
            moments.append(editions.load_snapshot(ACME).changes_at)
            clock.move_to(moments[-1])
    assert start - timedelta(hours=72) in moments
    assert start in moments
    assert start + timedelta(hours=1) in moments


def test_while_something_is_down_its_minutes_grow(outage: Incident) -> None:
    snapshot = editions.load_snapshot(ACME)
    assert snapshot.changes_at - snapshot.built_at <= timedelta(minutes=1)


def test_a_deleted_incident_is_gone_at_once(get: "Get", outage: Incident, acme: Page) -> None:
    assert get(outage.path).status_code == 200
    acme.raise_generation()
    outage.delete()
    assert get(outage.path).status_code == 404


# Pages


def test_two_pages_on_two_hosts_never_mix(get: "Get", acme: Page, globex: Page) -> None:
    for _ in range(2):
        assert "Acme Status" in get("/").content.decode()
        assert "Globex Status" in get("/", host=GLOBEX).content.decode()
        assert "Acme Status" not in get("/", host=GLOBEX).content.decode()


def test_an_incident_of_one_page_is_unknown_on_the_other(get: "Get", outage: Incident, globex: Page) -> None:
    assert get(outage.path).status_code == 200
    assert get(outage.path, host=GLOBEX).status_code == 404


def test_an_unknown_host_gets_help_without_its_own_name_in_it(
    get: "Get", acme: Page, globex: Page, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    answer = get("/", host="evil.example")
    assert answer.status_code == 404
    assert "No status page is known under this name" in answer.content.decode()
    assert "evil.example" not in answer.content.decode()


def test_a_host_that_is_not_allowed_is_a_bad_request(get: "Get", acme: Page) -> None:
    assert get("/", host="evil.example").status_code == 400


# The visitor


def test_answers_are_the_same_for_everybody(client: Client, get: "Get", outage: Incident) -> None:
    plain = get("/")
    client.force_login(User.objects.create_superuser("ada"))
    for address, headers in (
        ("/", {}),
        ("/?utm_source=mail&x=1", {}),
        ("/", {"accept_language": "de", "user_agent": "curl", "cookie": "a=b", "x_forwarded_host": "evil.example"}),
    ):
        answer = get(address, **headers)
        assert answer.content == plain.content
        assert answer["ETag"] == plain["ETag"]


def test_answers_may_be_kept_and_carry_no_cookie(get: "Get", outage: Incident) -> None:
    for address in ("/", "/history", outage.path, "/fragments/summary", "/robots.txt", "/api/v2/status.json"):
        answer = get(address)
        assert answer["Vary"] == "Accept-Encoding"
        assert "stale-if-error=86400" in answer["Cache-Control"]
        assert "Set-Cookie" not in answer
        assert not answer.cookies
        assert "csrf" not in answer.content.decode().lower()
        assert "nonce" not in answer.content.decode().lower()


def test_known_parameters_choose_and_others_are_ignored(acme: Page, rf: Any) -> None:
    @edition.published(params={"number": edition.Param(r"[1-9]\d?")})
    def counting(snapshot: Snapshot, number: str | None) -> Rendered:
        return Rendered(f"number {number}")

    def ask(query: str) -> bytes:
        return counting(rf.get(f"/counting?{query}", headers={"host": ACME})).content

    assert ask("number=7&x=y") == b"number 7"
    assert ask("number=0") == ask("number=<b>") == ask("") == b"number None"


# The protocol


def test_each_encoding_has_its_own_bytes_and_tag(get: "Get", acme: Page) -> None:
    plain = get("/")
    packed = get("/", accept_encoding="gzip")
    best = get("/", accept_encoding="gzip, br")
    assert gzip.decompress(packed.content) == brotli.decompress(best.content) == plain.content
    assert [each.get("Content-Encoding") for each in (plain, packed, best)] == [None, "gzip", "br"]
    assert len({each["ETag"] for each in (plain, packed, best)}) == 3
    assert all(int(each["Content-Length"]) == len(each.content) for each in (plain, packed, best))


def test_what_the_client_has_already_is_not_sent_again(get: "Get", outage: Incident) -> None:
    tag = get("/", accept_encoding="br")["ETag"]
    answer = get("/", accept_encoding="br", if_none_match=tag)
    assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
    assert "max-age=10" in answer["Cache-Control"]
    outage.post(Post("Rolling back.", Phase.IDENTIFIED))
    assert get("/", accept_encoding="br", if_none_match=tag).status_code == 200


def test_the_tag_follows_the_bytes_and_not_the_generation(get: "Get", acme: Page) -> None:
    tag = get("/api/v2/components.json")["ETag"]
    Page.objects.filter(pk=acme.pk).update(generation=99)
    assert get("/api/v2/components.json")["ETag"] == tag


def test_head_answers_as_get_does_without_the_body(client: Client, get: "Get", acme: Page) -> None:
    answer = client.head("/", headers={"host": ACME})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["Content-Length"] == get("/")["Content-Length"]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_other_methods_are_refused(client: Client, acme: Page, method: str) -> None:
    answer = getattr(client, method)("/", headers={"host": ACME})
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")


def test_scripts_of_other_sites_may_ask_first_and_read(client: Client, get: "Get", acme: Page) -> None:
    asked = client.options("/api/v2/status.json", headers={"host": ACME, "origin": "null"})
    assert (asked.status_code, asked["Access-Control-Allow-Origin"]) == (204, "*")
    answer = get("/api/v2/status.json", origin="null")
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer


def test_a_second_slash_does_no_harm(get: "Get", acme: Page) -> None:
    assert get(f"http://{ACME}//api/v2/status.json").content == get("/api/v2/status.json").content
    assert get(f"http://{ACME}///").status_code == 404
    assert get(f"http://{ACME}//nothing").status_code == 404


def test_every_answer_says_what_browsers_may_do_with_it(get: "Get", outage: Incident) -> None:
    for address in ("/", outage.path, "/nothing", "/livez"):
        answer = get(address)
        policy = answer["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert (answer["X-Content-Type-Options"], answer["X-Frame-Options"]) == ("nosniff", "DENY")
