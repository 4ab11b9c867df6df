"""What visitors must never read: walked over every public address there is."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from components.models import Component, Group
from components.status import Status
from core.banner_script import kept_versions
from delivery.models import Account
from incidents.models import Draft, Incident, Post, Template
from incidents.phases import Kind, Phase
from pages.models import Page, record_audit
from public.views import DESCRIPTIONS
from subscribers.models import Subscriber

if TYPE_CHECKING:
    from django.http import HttpResponse

    from tests.public.conftest import Get

WORD = "zanzibar"
# Not documents: these answer to a form, or to monitors about this machine.
NOT_DOCUMENTS = {"api/v2/subscribers.json", "healthz", "^[/]+(?P<path>.+)$"}


def read_text(answer: "HttpResponse") -> str:
    """What a picture says is tested in test_link_preview.py."""
    return answer.content.decode(errors="strict" if answer["Content-Type"] != "image/png" else "replace")


def public_routes() -> list[str]:
    """Every route of public/urls.py, written as in the source; those that end in a slash only redirect."""

    def walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
        for each in patterns:
            route = prefix + str(each.pattern)
            if isinstance(each, URLResolver):
                yield from walk(each.url_patterns, route)
            elif not route.endswith("/"):
                yield route

    return sorted(walk(get_resolver("public.urls").url_patterns, ""))


def test_the_list_of_documents_names_every_one_for_programs() -> None:
    """Those about the whole page, that is."""
    for_people = {"", "history", "history/search", "api", "fragments/summary", "fragments/days", "link-preview.png"}
    for_browsers = {
        "favicon.ico",
        "robots.txt",
        "sitemap.xml",
        "style.css",
        "livez",
        "readyz",
        "embed.js",
        "embed/script.js",
        "embed/frame",
        "embed/sample/incident/api/banner.json",
        "embed/sample/maintenance/api/banner.json",
    } | {"se-v2.js"}
    about_all = {route for route in public_routes() if "<" not in route}
    listed = [path.removeprefix("/") for path, _ in DESCRIPTIONS]
    assert sorted(listed) == sorted(about_all - for_people - for_browsers - NOT_DOCUMENTS)


def addresses_of(route: str, incident: Incident, others: list[str], components: list[Component]) -> list[str]:
    """The addresses of a route, one for each thing that it can be about. KeyError for a part not known here."""
    route = "/" + route.removeprefix("/").removeprefix("^")
    about_components = "badge" in route or "components/" in route
    codes = [component.code for component in components] if about_components else [incident.code, *others]
    if "groups/" in route:
        codes = [component.group.code for component in components if component.group]
    if "<slug:code>" in route:
        return [route.replace("<slug:code>", code) for code in codes]
    if "<slug:version>" in route:
        return [route.replace("<slug:version>", version) for version in kept_versions()]
    if "<int:year>" in route:
        now = timezone.now()
        return [route.replace("<int:year>", str(now.year)).replace("<int:month>", f"{now.month:02}")]
    if "<slug:digest>" in route:
        return [route.replace("<slug:digest>", "0" * 20)]
    if "(?P<path>" in route:
        return [route.split("(?P<path>", maxsplit=1)[0] + WORD[:4]]
    if "<" in route:
        raise KeyError(f"Say in this test what {route} can be about.")
    return [route]


@pytest.fixture
def secrets(acme: Page, chat: Component, outage: Incident) -> list[Component]:
    """Things with the word in them, wherever staff may write it: none of it is for visitors."""
    ada = User.objects.create_user(f"{WORD}-ada", email=f"{WORD}@acme.example")
    hidden_group = Group.objects.create(page=acme, name=f"{WORD} group", description=WORD)
    hidden = Component.objects.create(
        page=acme, name=f"{WORD} project", description=WORD, hidden=True, group=hidden_group
    )
    loose = Component.objects.create(page=acme, name=f"{WORD} lab", hidden=True)
    moved = {hidden: Status.MAJOR_OUTAGE, loose: Status.PARTIAL_OUTAGE, chat: Status.PARTIAL_OUTAGE}
    outage.post(Post("Found it.", Phase.IDENTIFIED, components=moved, actor=ada.username))
    begins = timezone.now() + timedelta(days=1)
    Incident.open(acme, "Move", Post("We move.", status=Phase.SCHEDULED, actor=WORD, components={hidden: Status.UNDER_MAINTENANCE}, window=(begins, begins + timedelta(hours=1))), kind=Kind.MAINTENANCE)  # fmt: skip
    Draft.objects.create(page=acme, incident=outage, author=ada, fields={"body": f"{WORD} draft"})
    Draft.objects.create(page=acme, author=ada, fields={"name": f"{WORD} draft", "body": WORD})
    Template.objects.create(page=acme, name=WORD, title=WORD, body=WORD)
    Account.objects.create(page=acme, channel="x", name=f"@{WORD}")
    Subscriber.objects.create(page=acme, address=f"{WORD}@reader.example")
    record_audit(acme, WORD, "component.change", WORD, note=WORD)
    acme.raise_generation()
    return [hidden, loose, chat]


def test_nothing_private_is_at_any_public_address(
    get: "Get", outage: Incident, secrets: list[Component], globex: Page
) -> None:
    others = list(Incident.objects.exclude(pk=outage.pk).values_list("code", flat=True))
    walked = 0
    routes = public_routes()
    assert set(routes) >= NOT_DOCUMENTS
    for route in routes:
        if route in NOT_DOCUMENTS:
            continue
        for address in addresses_of(route, outage, others, secrets):
            answer = get(address)
            assert answer.status_code in (200, 404), (address, answer.status_code)
            assert WORD not in read_text(answer).lower(), address
            assert not any(WORD in value.lower() for value in answer.headers.values()), address
            walked += answer.status_code == 200
    for address in ("/subscribe", f"/subscribe?incident={outage.code}"):  # a form, but everybody may open it
        assert WORD not in get(address).content.decode().lower()
    assert walked > 25


def test_a_hidden_component_has_no_badge_and_a_shown_one_has(get: "Get", secrets: list[Component]) -> None:
    hidden, loose, shown = secrets
    assert [get(f"/badge/{each.code}.svg").status_code for each in (hidden, loose, shown)] == [404, 404, 200]


def test_a_hidden_component_does_not_change_what_visitors_are_told(
    get: "Get", acme: Page, chat: Component, secrets: list[Component]
) -> None:
    acme.raise_generation()
    chat.refresh_from_db()
    chat.move_to(Status.OPERATIONAL, timezone.now())
    Incident.objects.all().delete()
    assert acme.components.filter(status=Status.MAJOR_OUTAGE).exists()
    assert "All systems are working" in get("/").content.decode()
    assert '"indicator":"none"' in get("/api/v2/status.json").content.decode()


def test_nothing_of_one_page_is_at_any_address_of_another(
    get: "Get", outage: Incident, chat: Component, globex: Page
) -> None:
    for route in public_routes():
        if route in NOT_DOCUMENTS:
            continue
        for address in addresses_of(route, outage, [], [chat]):
            answer = get(address, host=globex.host)
            assert answer.status_code in (200, 404), (address, answer.status_code)
            for word in ("Acme", "Chat API", outage.name, "into it"):
                assert word not in read_text(answer), (address, word)
