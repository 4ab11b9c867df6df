"""Words kept for later: templates that fill the form, and drafts that staff come back to."""

from __future__ import annotations

import pytest

from incidents.models import Draft, Incident, Template, Update
from pages.models import AuditEntry, Page
from tests.staff.screen import NEW, again, soup

# Templates


@pytest.fixture
def template(acme, chat):
    row = Template.objects.create(
        page=acme,
        name="Slow",
        title="Slow {{7*7}}",
        body="{% debug %} ${x} {0.__class__} <script>",
        status="identified",
    )
    row.components.add(chat)
    return row


def test_a_template_fills_in_its_words_literally(signed_in, follow, template, chat):
    fields = follow(NEW) | {"template": str(template.pk), "action": "template"}
    for address in (NEW, "/staff/post/fields/"):
        page = soup(signed_in.post(address, fields))
        assert page.find("input", {"name": "name"})["value"] == "Slow {{7*7}}"
        assert page.find("textarea").text.strip() == "{% debug %} ${x} {0.__class__} <script>"
        assert page.find("input", {"name": "status", "checked": True})["value"] == "identified"
        assert page.find("select", {"name": f"component-{chat.code}"}).find(selected=True)["value"] == (
            "degraded_performance"
        )
    assert not Incident.objects.exists()


def test_a_second_template_takes_the_place_of_the_first_and_of_no_word_of_staff(signed_in, follow, template, acme):
    other = Template.objects.create(page=acme, name="Down", title="Down", body="It is down.")
    fields = follow(NEW) | {"applied": str(template.pk), "name": template.title, "body": template.body}
    page = soup(signed_in.post("/staff/post/fields/", fields | {"template": str(other.pk)}))
    assert page.find("input", {"name": "name"})["value"] == "Down"
    assert page.find("textarea").text.strip() == "It is down."

    fields |= {"name": "My title", "body": "My words."}
    page = soup(signed_in.post("/staff/post/fields/", fields | {"template": str(other.pk)}))
    assert page.find("input", {"name": "name"})["value"] == "My title"
    assert page.find("textarea").text.strip() == "My words.\n\nIt is down."


def test_a_template_of_another_page_is_not_to_be_had(signed_in, follow, acme):
    other = Page.objects.create(name="Other", url="https://status.other.example")
    theirs = Template.objects.create(page=other, name="T", title="Theirs", body="Their words.")
    fields = follow(f"{NEW}?page={acme.code}") | {"template": str(theirs.pk)}
    assert "Their words." not in signed_in.post("/staff/post/fields/", fields).text


# Drafts


def test_a_draft_is_kept_opened_again_and_gone_once_posted(signed_in, follow, chat):
    fields = follow(NEW) | {"name": "Err\x00ors", "body": "Half a sent", f"component-{chat.code}": "partial_outage"}
    signed_in.post(NEW, fields | {"action": "draft"})
    draft = Draft.objects.get()
    assert not Incident.objects.exists()
    overview = signed_in.get("/staff/").text
    assert "Errors" in overview

    opened = follow(f"{NEW}?draft={draft.pk}")
    assert (opened["name"], opened["body"].strip()) == ("Errors", "Half a sent")
    assert opened[f"component-{chat.code}"] == "partial_outage"
    assert opened["token"] != fields["token"]
    signed_in.post(NEW, opened | {"body": "A whole sentence."})
    assert not Draft.objects.exists()
    assert Update.objects.get().body == "A whole sentence."


def test_a_draft_saved_twice_is_one_draft(signed_in, follow, chat):
    signed_in.post(NEW, follow(NEW) | {"name": "One", "action": "draft"})
    opened = follow(f"{NEW}?draft={Draft.objects.get().pk}")
    signed_in.post(NEW, opened | {"name": "Two", "action": "draft"})
    assert str(Draft.objects.get()) == "Two"


def test_a_draft_of_an_incident_is_a_draft_of_its_next_update(signed_in, follow, incident):
    signed_in.post(again(incident), follow(again(incident)) | {"body": "Half", "action": "draft"})
    draft = Draft.objects.get()
    assert draft.incident == incident
    assert follow(f"{again(incident)}?draft={draft.pk}")["body"].strip() == "Half"


def test_who_deleted_a_draft_is_kept_with_what_it_said(signed_in, follow, incident):
    signed_in.post(again(incident), follow(again(incident)) | {"body": "Half", "action": "draft"})
    signed_in.post(f"/staff/post/drafts/{Draft.objects.get().pk}/delete/")
    assert not Draft.objects.exists()
    entry = AuditEntry.objects.get(action="draft.delete")
    assert (entry.page, entry.actor, entry.target) == (incident.page, "ada", incident.name)
    assert (entry.detail["author"], entry.detail["fields"]["body"]) == ("ada", "Half")


def test_an_offered_but_deleted_draft_shows_an_empty_form(signed_in, follow, chat):
    assert follow(f"{NEW}?draft=999999")["body"].strip() == ""
    assert follow(f"{NEW}?draft=nonsense")["name"] == ""
