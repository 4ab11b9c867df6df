"""Who will be told, as the posting screen counts them, and what keeps an update from them."""

from __future__ import annotations

import re

from delivery.models import Account, Pause
from pages.models import Page
from subscribers.models import Subscriber
from tests.staff.screen import NEW, again, soup


def test_the_audience_follows_from_the_components(signed_in, follow, acme, chat, website):
    for name, choice in (("all", None), ("chat", chat), ("web", website)):
        row = Subscriber.objects.create(page=acme, address=f"{name}@x.example", state=Subscriber.State.ACTIVE)
        if choice:
            row.components.add(choice)
    fields = follow(NEW)

    def told(**chosen):
        page = soup(signed_in.post("/staff/post/audience/", fields | chosen))
        return [item.get_text(" ", strip=True) for item in page.select("#audience li")]

    assert told() == ["E-mail 1"]
    assert told(**{f"component-{chat.code}": "major_outage"}) == ["E-mail 2"]
    both = {f"component-{each.code}": "major_outage" for each in (chat, website)}
    assert told(**both) == ["E-mail 3"]


def test_the_audience_of_an_incident_counts_its_followers(signed_in, follow, acme, incident):
    Subscriber.objects.create(
        page=acme, address="a@x.example", state=Subscriber.State.ACTIVE, incident_code=incident.code
    )
    page = soup(signed_in.get(again(incident)))
    assert page.select_one("#audience li").get_text(" ", strip=True) == "E-mail 1"


def test_an_account_without_credentials_is_named(signed_in, acme, chat):
    Account.objects.create(page=acme, channel="x", name="@acme")
    assert "@acme is not connected" in soup(signed_in.get(NEW)).find(id="audience").text


def test_what_keeps_an_update_from_people_is_said_before_it_is_posted(signed_in, acme, chat, settings, tmp_path):
    """Of this page only: neither another page's account, nor mail where nobody is told by mail."""

    def warned() -> list[str]:
        return [each.text for each in soup(signed_in.get(f"{NEW}?page={acme.code}")).select("#audience .caution")]

    settings.MAIL_DIR = tmp_path
    other = Page.objects.create(name="Other", url="https://status.other.example")
    elsewhere = Account.objects.create(page=other, channel="webhook", name="Theirs")
    Pause.objects.begin(elsewhere.address, "it answered 404")
    assert warned() == []
    Subscriber.objects.create(page=acme, address="a@x.example", state=Subscriber.State.ACTIVE)
    assert warned() == ["No SMTP server is configured (EMAIL_URL): e-mail goes to files and reaches nobody."]
    settings.MAIL_DIR = None
    Pause.objects.begin("email", "535 refused")
    [sentence] = warned()
    assert re.fullmatch(r"E-mail is paused since \S+ \S+: 535 refused\. Nobody is forgotten: .*", sentence)
