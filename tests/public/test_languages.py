"""Public pages in other languages, at addresses of their own."""

from __future__ import annotations

import email.policy
import importlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

import feedparser
import pytest
from bs4 import BeautifulSoup
from django.conf import settings as django_settings
from django.test import override_settings
from django.urls import clear_url_caches
from django.utils import timezone, translation
from icalendar import Calendar

import statuspage.urls
from components.models import Component
from components.status import Status
from core import languages
from core.dates import clock_text, day_text, weekday_and_day
from delivery.channels.email import prebuild_notice
from delivery.ledger import outbox
from delivery.ledger.sender import drain
from delivery.mail.mime import PrebuiltMail
from delivery.models import Notice
from incidents.models import Incident, Kind, Phase, Post
from pages.models import Page
from public.documents.programs import FRAME_TITLE
from public.serving.document_addresses import find_document, find_published
from public.serving.document_list import list_all, list_fixed
from public.serving.stale_line import describe_age
from statuspage.environment import Environment
from subscribers.letters import build_letter
from subscribers.models import Subscriber
from subscribers.signing import confirm_url, manage_url, unsubscribe_token
from tests.pseudo_locale import FROM_THE_RIGHT, LONGER, find_untranslated, outside_brackets, write_pseudo_locales
from tests.render_cache import start_empty

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

    from tests.public.conftest import Get, Read

PREFIX = f"/{LONGER}"


@pytest.fixture
def pseudo(tmp_path: Path) -> Iterator[None]:
    """The pages are served in the two pseudo-languages, too."""
    write_pseudo_locales(tmp_path)
    found = Environment().languages("LANGUAGES", "en", [tmp_path])
    with override_settings(LOCALE_PATHS=[tmp_path], LANGUAGES=found):
        _read_urls()
        yield
    _read_urls()


def _read_urls() -> None:
    importlib.reload(statuspage.urls)
    clear_url_caches()
    find_published.cache_clear()
    find_document.cache_clear()
    start_empty()


@pytest.fixture
def busy(acme: Page, outage: Incident) -> Incident:
    """Everything that a page can show: an open and a closed incident, maintenance in each state, days of trouble."""
    other = Component.objects.create(page=acme, name="Website", created_at=timezone.now() - timedelta(days=99))
    over = Incident.open(acme, "Slow search", Post("Looking.", components={other: Status.MAJOR_OUTAGE})).incident
    over.post(Post("Still looking."))
    over.post(Post("Over.", Phase.RESOLVED, components={other: Status.OPERATIONAL}))
    for days, phase in ((2, None), (0, Phase.IN_PROGRESS), (-1, Phase.COMPLETED)):
        start = timezone.now() + timedelta(days=days)
        post = Post("We move.", window=(start, start + timedelta(hours=1)))
        work = Incident.open(acme, f"Work in {days}", post, kind=Kind.MAINTENANCE).incident
        if phase:
            work.post(Post("On it.", phase))
    return outage


def test_with_english_alone_no_address_has_a_prefix(get: Get, acme: Page) -> None:
    assert languages.prefixed_languages() == []
    assert get("/").status_code == 200
    assert [get(path).status_code for path in ("/en/", "/de/", "/en/history")] == [404, 404, 404]
    html = get("/").content.decode()
    assert '<html lang="en">' in html
    assert 'hreflang="' not in html


@pytest.mark.usefixtures("pseudo")
def test_a_prefix_chooses_the_language_and_none_the_pages_own(read: Read, get: Get, outage: Incident) -> None:
    assert read(f"{PREFIX}/").html["lang"] == LONGER  # type: ignore[index]
    assert "⟦Šöɱé šýšţéɱš" in read(f"{PREFIX}/").get_text() or "⟦Åļļ šýšţéɱš" in read(f"{PREFIX}/").get_text()
    right = read(f"/{FROM_THE_RIGHT}/").html
    assert right is not None
    assert (right["lang"], right["dir"]) == (FROM_THE_RIGHT, "rtl")
    own = read("/").html
    assert own is not None
    assert (own["lang"], own.get("dir")) == ("en", None)
    assert "All systems are partly down" in own.get_text()
    assert [get(path).status_code for path in ("/de/", "/en/", "/xx/history")] == [404, 404, 404]


@pytest.mark.usefixtures("pseudo")
def test_links_of_a_page_stay_in_its_language(read: Read, busy: Incident) -> None:
    for path in ("/", "/history", busy.path, "/api"):
        page = read(PREFIX + path)
        addresses = {str(link["href"]) for link in page.find_all("a") if not link.get("hreflang")}
        inside = {
            each for each in addresses if each.startswith("/") and not each.startswith(("/api/v2/", "/history.json"))
        }
        assert inside
        assert {each for each in inside if not each.startswith(f"{PREFIX}/")} == set(), path
        asked = [str(each["hx-get"]) for each in page.select("[hx-get]")]
        assert all(each.startswith(f"{PREFIX}/fragments/") for each in asked)
        for each in asked:
            assert "⟦" in read(each).get_text()


@pytest.mark.usefixtures("pseudo")
def test_a_page_names_its_address_in_every_language(read: Read, busy: Incident) -> None:
    head = read(f"{PREFIX}{busy.path}").head
    assert head is not None
    canonical, alternates = head.select_one("[rel=canonical]"), head.select("[hreflang]")
    home = "https://status.acme.localhost"
    assert canonical is not None
    assert canonical["href"] == f"{home}{PREFIX}{busy.path}"
    assert {each["hreflang"]: each["href"] for each in alternates} == {
        "en": f"{home}{busy.path}",
        LONGER: f"{home}{PREFIX}{busy.path}",
        FROM_THE_RIGHT: f"{home}/{FROM_THE_RIGHT}{busy.path}",
    }


@pytest.mark.usefixtures("pseudo")
@pytest.mark.parametrize("language", [LONGER, FROM_THE_RIGHT])
def test_nothing_is_left_in_english(get: Get, busy: Incident, language: str) -> None:
    closed = Incident.objects.get(name="Slow search")
    for path in ("/", "/history", busy.path, closed.path, "/api", "/nothing-here"):
        assert find_untranslated(get(f"/{language}{path}").content.decode()) == [], path
    for work in Incident.objects.filter(kind=Kind.MAINTENANCE):
        assert find_untranslated(get(f"/{language}{work.path}").content.decode()) == [], work.name


@pytest.mark.usefixtures("pseudo")
def test_what_programs_read_stays_english(get: Get, busy: Incident) -> None:
    with translation.override(LONGER):  # whatever a thread was left with
        for path in ("/history.rss", "/api/v2/summary.json", "/badge.json", "/api/banner.json"):
            assert "⟦" not in get(path).content.decode(), path
    assert get(f"{PREFIX}/api/v2/summary.json").status_code == 404


@pytest.mark.usefixtures("pseudo")
def test_a_change_is_seen_in_every_language(get: Get, outage: Incident) -> None:
    paths = [f"{prefix}{outage.path}" for prefix in ("", PREFIX, f"/{FROM_THE_RIGHT}")]
    assert all(get(path).status_code == 200 for path in paths)
    outage.post(Post("Rolling back.", Phase.IDENTIFIED))
    assert all("Rolling back." in get(path).content.decode() for path in paths)
    assert len({get(path)["ETag"] for path in paths}) == 3


@pytest.mark.usefixtures("pseudo")
def test_the_fast_path_and_the_export_know_all_languages(acme: Page, outage: Incident) -> None:
    assert find_published(f"{PREFIX}/") is not None
    assert {"/", f"{PREFIX}/", f"{PREFIX}/history", f"/{FROM_THE_RIGHT}/"} <= set(list_fixed())
    listed = list(list_all(acme, timezone.now().date()))
    assert len(listed) == len(set(listed))
    assert f"{PREFIX}{outage.path}" in listed
    assert f"{PREFIX}/history/{timezone.now():%Y-%m}" in listed
    assert listed[-1] == "/"


def test_english_dates_are_written_as_before() -> None:
    when = datetime(2025, 12, 8, 17, 5, tzinfo=UTC)
    assert day_text(when, with_year=False) == "8 December"
    assert day_text(when, with_year=True) == "8 December 2025"
    assert day_text(when, "short", with_year=False) == "8 Dec"
    assert day_text(when, "short", with_year=True) == "8 Dec 2025"
    assert weekday_and_day(when, with_year=False) == "Mon 8 December"
    assert clock_text(when) == "17:05"


@pytest.mark.parametrize(
    ("language", "short", "long", "month"),
    [
        ("de", "8. Dezember", "8. Dezember 2025", "Dezember 2025"),
        ("fr", "8 décembre", "8 décembre 2025", "décembre 2025"),
    ],
)
def test_other_languages_write_dates_by_their_own_formats(language: str, short: str, long: str, month: str) -> None:
    from django.utils.formats import date_format

    when = datetime(2025, 12, 8, 17, 5, tzinfo=UTC)
    with translation.override(language):
        assert day_text(when, "short", with_year=False) == short
        assert day_text(when, with_year=True) == long
        assert date_format(when, "YEAR_MONTH_FORMAT") == month


@pytest.mark.usefixtures("pseudo")
def test_the_line_about_an_old_page_is_in_its_language() -> None:
    with translation.override(LONGER):
        line = describe_age(datetime(2026, 11, 20, 17, 5, tzinfo=UTC))
    assert find_untranslated(line) == []
    assert '<time datetime="2026-11-20T17:05:00Z">' in line


def test_only_catalogues_that_are_there_can_be_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.core.exceptions import ImproperlyConfigured

    write_pseudo_locales(tmp_path)
    read = Environment().languages
    assert [code for code, _ in read("LANGUAGES", "en", [tmp_path])] == ["en", FROM_THE_RIGHT, LONGER]
    monkeypatch.setenv("LANGUAGES", "en,ar-xb")
    assert read("LANGUAGES", "en", [tmp_path]) == [("en", "English"), (FROM_THE_RIGHT, "العربيّة")]
    monkeypatch.setenv("LANGUAGES", "de")
    with pytest.raises(ImproperlyConfigured, match="LANGUAGES: there is no catalogue of de"):
        read("LANGUAGES", "en", [tmp_path])
    assert django_settings.LANGUAGES == [("en", "English")]


@pytest.fixture
def reader(acme: Page, chat: Component) -> Subscriber:
    made = Subscriber.objects.create(page=acme, address="ann@example.com", channel="email")
    made.ask([chat])
    return made


@pytest.mark.usefixtures("pseudo")
def test_subscribing_goes_on_in_the_language_it_began_in(client: Client, acme: Page, chat: Component) -> None:
    def send(**fields: str) -> HttpResponse:
        return client.post(f"{PREFIX}/subscribe", fields, headers={"host": acme.host})  # type: ignore[return-value]

    refused = [send(email="nobody", scope="chosen"), send(), send(email="ü@example.com", scope="odd", components="x")]
    for answer in refused:
        assert answer.status_code == 422
        assert find_untranslated(answer.content.decode()) == []
    form = BeautifulSoup(refused[0].content, "html.parser").form
    assert form is not None
    assert form["action"] == f"{PREFIX}/subscribe"
    assert send(email="ann@example.com", scope="everything")["Location"] == f"{PREFIX}/subscribe/sent"


@pytest.mark.usefixtures("pseudo")
def test_no_page_about_a_subscription_is_left_in_english(client: Client, reader: Subscriber) -> None:
    def walk(path: str, **fields: str) -> None:
        ask = client.post if fields else client.get
        answer = ask(PREFIX + path, fields, headers={"host": reader.page.host})
        html = answer.content.decode()
        assert find_untranslated(html) == [], path
        addresses = {
            str(each.get("href") or each.get("action"))
            for each in BeautifulSoup(html, "html.parser").select("main a, main [action]")
        }
        assert {each for each in addresses if not each.startswith(PREFIX)} == set(), path

    for path in ("/subscribe", "/subscribe?incident=abcdefghijkl", "/subscribe/sent", "/unsubscribe/broken"):
        walk(path)
    confirm = confirm_url(reader).removeprefix(reader.page.url)
    walk(confirm)
    walk(confirm, press="1")
    manage = manage_url(Subscriber.objects.get()).removeprefix(reader.page.url)
    walk(manage)
    for action in ("save", "renew"):
        walk(manage, action=action, scope="everything")
    leave = f"/unsubscribe/{unsubscribe_token(reader.code)}"
    walk(leave)
    walk(leave, **{"List-Unsubscribe": "One-Click"})
    walk(f"{leave}/undo", press="1")
    walk(manage_url(Subscriber.objects.get()).removeprefix(reader.page.url), action="forget")


@pytest.mark.usefixtures("pseudo")
@pytest.mark.parametrize("language", [LONGER, FROM_THE_RIGHT])
def test_mails_say_nothing_in_english(reader: Subscriber, outage: Incident, language: str) -> None:
    outage.post(Post("Rolling back.", Phase.IDENTIFIED))
    reader.set_language(language)
    letters = [build_letter(reader)]
    reader.confirm(timezone.now())
    letters.append(build_letter(reader))
    for letter in letters:
        html = letter.html.replace(reader.page.name, "").replace(reader.page.url, "")
        assert find_untranslated(html) == []
        assert f'<html lang="{language}"' in html
        assert outside_brackets(letter.subject) == ""
        words = re.sub(r"https://\S+", "", letter.text)
        assert outside_brackets(words) == ""
        assert f"{reader.page.url}/{language}/subscri" in letter.text


def read_mail(notice: Notice, language: str = "") -> EmailMessage:
    content = prebuild_notice(notice, language).fill({}, {"unsubscribe": "u", "manage": "m"})
    return message_from_bytes(content, policy=email.policy.SMTP)


@pytest.mark.usefixtures("pseudo")
@pytest.mark.parametrize("language", [LONGER, FROM_THE_RIGHT])
def test_the_mail_of_a_notice_is_in_the_language_that_is_asked_for(busy: Incident, language: str) -> None:
    home, planned = busy.page.url, Incident.objects.get(name="Work in 2")
    for incident in (busy, planned):
        notice = Notice.objects.filter(thread=incident.code).earliest("pk")
        own, mail = read_mail(notice), read_mail(notice, language)
        assert "⟦" not in own.as_string()
        text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
        assert f"{home}/{language}{incident.path}" in text
        assert f"{home}/{language}/unsubscribe/u" in text
        assert f"{home}/{language}/subscriptions/m" in html
        assert f'<html lang="{language}"' in html
        written = ("We move.", "We are looking into it.", incident.name, busy.page.name, "Chat", "API")
        for words in written:
            text = text.replace(words, "")
        assert outside_brackets(re.sub(r"https://[^\s⟧]+|UTC", "", text)).strip(" -:[]().,0123456789") == ""
        assert incident.name in mail["Subject"]
        assert outside_brackets(mail["Subject"].replace(incident.name, "")).strip(" :[]") == busy.page.name


@pytest.mark.usefixtures("pseudo")
def test_a_mail_in_a_language_that_is_served_no_more_is_in_the_pages_own(outage: Incident) -> None:
    notice = Notice.objects.latest("pk")
    assert read_mail(notice, "de").get_body(("plain",)).get_content() == (  # type: ignore[union-attr]
        read_mail(notice).get_body(("plain",)).get_content()  # type: ignore[union-attr]
    )


@pytest.mark.usefixtures("pseudo")
def test_a_mail_is_rendered_once_for_each_language(
    acme: Page, outage: Incident, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in range(12):
        Subscriber.objects.create(
            page=acme,
            address=f"ann{number}@example.com",
            state=Subscriber.State.ACTIVE,
            language=("", LONGER, FROM_THE_RIGHT)[number % 3],
        )
    outage.post(Post("Rolling back.", Phase.IDENTIFIED))
    notice = Notice.objects.latest("pk")
    outbox.expand(notice.pk)
    rendered: list[str] = []

    def prebuild(notice: Notice, language: str, **kwargs: bool) -> PrebuiltMail:
        rendered.append(language)
        return prebuild_notice(notice, language, **kwargs)

    monkeypatch.setattr("delivery.channels.email.prebuild_notice", prebuild)
    with override_settings(MAIL_DIR=tmp_path / "mail"):
        drain("email", 30)
    assert sorted(rendered) == ["", FROM_THE_RIGHT, LONGER]
    mails = [
        message_from_bytes(each.read_bytes(), policy=email.policy.SMTP) for each in (tmp_path / "mail").rglob("*.eml")
    ]
    assert len(mails) == 12
    for mail in mails:
        language = ("", LONGER, FROM_THE_RIGHT)[int(re.sub(r"\D", "", mail["To"])) % 3]
        prefix = f"/{language}" if language else ""
        assert mail["List-Unsubscribe"].startswith(f"<{acme.url}{prefix}/unsubscribe/")
        assert ("⟦" in mail["Subject"]) == bool(language)


@pytest.mark.usefixtures("pseudo")
def test_mails_are_in_the_language_of_the_page_where_somebody_subscribed(client: Client, acme: Page) -> None:
    for prefix, language in ((PREFIX, LONGER), ("", "")):
        address = f"ann{len(language)}@example.com"
        client.post(f"{prefix}/subscribe", {"email": address, "scope": "everything"}, headers={"host": acme.host})
        assert Subscriber.objects.get(address=address).language == language


@pytest.mark.usefixtures("pseudo")
def test_the_language_of_mails_can_be_chosen(client: Client, reader: Subscriber) -> None:
    reader.confirm(timezone.now())
    address = manage_url(reader)
    for chosen, stored in ((LONGER, LONGER), ("en", ""), (FROM_THE_RIGHT, FROM_THE_RIGHT)):
        answer = client.post(address, {"action": "save", "scope": "everything", "language": chosen})
        assert answer.status_code == 200
        assert Subscriber.objects.get().language == stored
        selected = BeautifulSoup(answer.content, "html.parser").select_one("select[name=language] [selected]")
        assert selected is not None
        assert selected["value"] == chosen
    assert client.post(address, {"action": "save", "scope": "everything", "language": "xx"}).status_code == 422
    assert Subscriber.objects.get().language == FROM_THE_RIGHT


def test_who_has_no_choice_of_languages_keeps_the_language_of_mails(client: Client, reader: Subscriber) -> None:
    reader.confirm(timezone.now())
    reader.set_language("de")
    answer = client.post(manage_url(reader), {"action": "save", "scope": "everything"})
    assert "<select" not in answer.content.decode()
    assert Subscriber.objects.get().language == "de"


def test_links_in_mails_work_when_their_language_is_served_no_more(client: Client, reader: Subscriber) -> None:
    reader.confirm(timezone.now())
    path = f"/de/unsubscribe/{unsubscribe_token(reader.code)}"
    shown = client.get(path, headers={"host": reader.page.host})
    assert shown.status_code == 200
    assert '<html lang="en">' in shown.content.decode()
    left = client.post(path, {"List-Unsubscribe": "One-Click"}, headers={"host": reader.page.host})
    assert left.status_code == 200
    assert Subscriber.objects.get().state == Subscriber.State.UNSUBSCRIBED
    assert client.get("/de/subscribe", headers={"host": reader.page.host}).status_code == 404


@pytest.mark.usefixtures("pseudo")
def test_a_banner_speaks_the_language_of_its_scripts_address(get: Get, acme: Page, outage: Incident) -> None:
    own, other = (get(f"{prefix}/embed.js").content for prefix in ("", PREFIX))
    assert own == other  # so that one SRI value is right for both
    words = json.loads(get(f"{PREFIX}/api/banner.json").content)["words"]
    assert (words["lang"], words["dir"]) == (LONGER, "ltr")
    assert [outside_brackets(each) for each in (words["details"], words["dismiss"], *words["left"])] == [""] * 5
    assert [re.findall("{.}", each) for each in words["left"]] == [["{m}"], ["{h}", "{m}"], ["{d}", "{h}"]]
    assert json.loads(get(f"/{FROM_THE_RIGHT}/api/banner.json").content)["words"]["dir"] == "rtl"
    assert FRAME_TITLE in get("/embed/script.js").content
    assert FRAME_TITLE not in get(f"{PREFIX}/embed/script.js").content
    banner = json.loads(get(f"{PREFIX}/api/banner.json").content)["banner"]
    assert banner["link"] == f"{acme.url}{PREFIX}{outage.path}"
    assert outside_brackets(banner["label"]) == ""
    assert json.loads(get("/api/banner.json").content)["banner"]["link"] == outage.page.absolute_url(outage.path)
    frame = get(f"{PREFIX}/embed/frame").content.decode()
    assert f'<html lang="{LONGER}"' in frame


# Those that show nothing that is stored in English, such as why a delivery failed.
STAFF_SCREENS = (
    "/staff/incidents/",
    "/staff/maintenance/",
    "/staff/components/",
    "/staff/components/paste/",
    "/staff/page/templates/",
    "/staff/people/",
    "/staff/set-up/",
    "/staff/set-up/address/",
    "/staff/forgotten-password/",
)


@pytest.mark.usefixtures("pseudo", "busy")
@pytest.mark.parametrize("path", STAFF_SCREENS)
def test_staff_read_the_language_of_their_browser(admin_client: Client, path: str) -> None:
    answer = admin_client.get(path, headers={"accept-language": f"xx, {LONGER};q=0.8, en;q=0.5"})
    assert answer.status_code == 200
    assert f'lang="{LONGER}"' in answer.text
    assert find_untranslated(answer.text) == []


@pytest.mark.usefixtures("pseudo")
def test_what_staff_post_is_told_in_the_pages_own_language(outage: Incident) -> None:
    with translation.override(LONGER):
        update = outage.post(Post("We know.", Phase.IDENTIFIED))
    assert Notice.objects.get(code=update.code).status_label == "Identified"


# Feeds, calendar and badge


@pytest.mark.usefixtures("pseudo")
@pytest.mark.parametrize("name", ["history.rss", "history.atom"])
def test_a_feed_is_in_the_language_of_its_address(get: Get, busy: Incident, name: str) -> None:
    own, other = (feedparser.parse(get(f"{prefix}/{name}").content) for prefix in ("", PREFIX))
    assert [each.id for each in other.entries] == [each.id for each in own.entries]
    assert [each.published for each in other.entries] == [each.published for each in own.entries]
    base = busy.page.url
    assert {each.link for each in other.entries} == {
        each.link.replace(f"{base}/", f"{base}{PREFIX}/") for each in own.entries
    }
    assert other.feed.link == f"{base}{PREFIX}/"
    assert (own.feed.language, other.feed.language) == ("en-US", LONGER)
    assert outside_brackets(other.feed.title) == ""
    assert not any("⟦" in each.title + each.summary for each in own.entries)
    words = [outside_brackets(BeautifulSoup(each.summary, "html.parser").get_text()) for each in other.entries]
    for english in ("Investigating", "Resolved", "Update", "SCHEDULED", "Completed"):
        assert not any(english in each for each in words), words


@pytest.mark.usefixtures("pseudo")
def test_the_json_feed_is_in_the_language_of_its_address(get: Get, busy: Incident) -> None:
    own, other = (json.loads(get(f"{prefix}/feed.json").content) for prefix in ("", PREFIX))
    assert [each["id"] for each in other["items"]] == [each["id"] for each in own["items"]]
    assert other["feed_url"] == f"{busy.page.url}{PREFIX}/feed.json"
    assert all(each["url"].startswith(f"{busy.page.url}{PREFIX}/incidents/") for each in other["items"])
    assert (own["language"], other["language"]) == ("en-US", LONGER)


@pytest.mark.usefixtures("pseudo")
def test_the_calendar_is_in_the_language_of_its_address(get: Get, busy: Incident) -> None:
    own, other = (Calendar.from_ical(get(f"{prefix}/maintenance.ics").content) for prefix in ("", PREFIX))
    assert outside_brackets(str(other["name"])) == ""
    assert [str(each["uid"]) for each in other.walk("VEVENT")] == [str(each["uid"]) for each in own.walk("VEVENT")]
    addresses = [str(each["url"]) for each in other.walk("VEVENT")]
    assert addresses
    assert all(each.startswith(f"{busy.page.url}{PREFIX}/incidents/") for each in addresses)


@pytest.mark.usefixtures("pseudo")
@pytest.mark.parametrize("language", [LONGER, FROM_THE_RIGHT])
def test_a_badge_is_in_the_language_of_its_address(get: Get, outage: Incident, chat: Component, language: str) -> None:
    for path in ("/badge.svg", f"/badge/{chat.code}.svg"):
        own, other = (BeautifulSoup(get(prefix + path).content, "xml") for prefix in ("", f"/{language}"))
        assert "⟦" not in own.get_text()
        label, message = other.find_all("text")
        assert outside_brackets(message.get_text()) == "", path
        assert label.get_text() == own.find("text").get_text()  # type: ignore[union-attr]
    assert json.loads(get(f"/{language}/badge.json").content)["message"].startswith("⟦")
