"""What a browser would not send, or only by mistake: no error page, and no word or update lost."""

from __future__ import annotations

import pytest
from django.urls import reverse

from core.text import BODY_LIMIT
from incidents.models import Draft, Incident, Update
from tests.staff.screen import NEW, again, soup

TOO_LONG = "long " * (BODY_LIMIT // 4)
NOT_NUMBERS = ["²", "٣", "-1", "9" * 30, "9" * 5000, "1 OR 1=1"]


def test_a_message_that_is_too_long_to_post_can_be_kept_as_a_draft(signed_in, acme):
    response = signed_in.post(NEW, {"name": "Errors", "body": TOO_LONG, "action": "draft"})
    assert response.status_code == 302
    assert Draft.objects.get().fields["body"] == TOO_LONG.strip()


@pytest.mark.parametrize("fragment", ["post-fields", "post-grid", "post-audience", "post-preview"])
def test_a_message_that_is_too_long_breaks_no_fragment(signed_in, acme, fragment):
    assert signed_in.post(reverse(fragment), {"body": TOO_LONG}).status_code == 200


def test_the_preview_renders_no_more_than_can_be_posted(signed_in, acme):
    response = signed_in.post(reverse("post-preview"), {"body": "a" * (BODY_LIMIT + 1) + "beyond"})
    assert b"beyond" not in response.content


@pytest.mark.parametrize("number", NOT_NUMBERS, ids=lambda text: text[:8])
def test_what_is_not_the_number_of_a_row_chooses_nothing(signed_in, acme, number):
    assert signed_in.get(NEW, {"draft": number}).status_code == 200
    fields = {"body": "x", "template": number, "applied": number, "draft": number, "action": "fields"}
    assert signed_in.post(NEW, fields).status_code == 200


@pytest.mark.parametrize("value", ["99999999999", "0", "-1", "9" * 30])
@pytest.mark.parametrize("filter_", ["incidents/incident/?started_at__year", "incidents/incident/?started_at__day",
                                     "delivery/notice/?created_at__year", "auth/user/?date_joined__month"])  # fmt: skip
def test_a_list_is_shown_whatever_its_address_asks_for(admin_client, incident, filter_, value):
    response = admin_client.get(f"/admin/{filter_}={value}", follow=True)
    assert response.status_code == 200


def test_another_message_under_the_same_token_is_not_taken_for_a_doubled_submit(signed_in, follow, incident):
    """Back from the receipt, the browser shows the form as it was; what is typed there now is news."""
    fields = follow(again(incident)) | {"body": "Found it."}
    signed_in.post(again(incident), fields)
    response = signed_in.post(again(incident), fields | {"body": "Mended.", "status": "monitoring"})
    assert response.status_code == 409
    assert incident.updates.order_by("-pk")[0].body == "Found it."

    shown = soup(response)
    assert shown.select_one("textarea[name=body]").get_text().strip() == "Mended."
    kept = {each["name"]: each.get("value", "") for each in shown.select("#post-form input[type=hidden]")}
    assert kept["token"] != fields["token"]
    signed_in.post(again(incident), fields | kept | {"body": "Mended.", "status": "monitoring"})
    assert incident.updates.order_by("-pk")[0].body == "Mended."


def test_a_new_incident_under_the_token_of_another_is_not_lost(signed_in, follow):
    fields = follow(NEW) | {"name": "First", "body": "One."}
    signed_in.post(NEW, fields)
    assert signed_in.post(NEW, fields | {"name": "Second", "body": "Two."}).status_code == 409
    assert signed_in.post(NEW, fields).status_code == 302
    assert Update.objects.count() == 1


@pytest.mark.parametrize(
    "change", [{"chat": "major_outage"}, {"chat": ""}, {"name": "Errors everywhere"}, {"notify": None}]
)
def test_one_other_field_under_the_same_token_is_not_taken_for_a_doubled_submit(signed_in, follow, chat, change):
    component = f"component-{chat.code}"
    fields = follow(NEW) | {"name": "Errors", "body": "Looking.", component: "partial_outage"}
    signed_in.post(NEW, fields)
    changed = fields | {component if name == "chat" else name: value for name, value in change.items()}
    changed = {name: value for name, value in changed.items() if value is not None}
    assert signed_in.post(NEW, changed).status_code == 409
    assert signed_in.post(NEW, fields).status_code == 302
    assert Update.objects.count() == 1


def test_only_another_component_under_the_same_token_is_news_of_an_incident(signed_in, follow, incident, chat):
    fields = follow(again(incident)) | {"body": "Found it."}
    signed_in.post(again(incident), fields)
    assert signed_in.post(again(incident), fields | {f"component-{chat.code}": "major_outage"}).status_code == 409
    assert signed_in.post(again(incident), fields).status_code == 302
    assert incident.updates.count() == 2


@pytest.mark.parametrize("start", ["0001-01-01T00:00", "0001-01-03T00:00", "1969-12-31T00:00", "9999-12-30T23:00"])
def test_maintenance_at_the_ends_of_the_calendar_is_refused(signed_in, follow, acme, start):
    fields = follow(f"{NEW}?kind=maintenance") | {"name": "Move", "body": "We move."}
    response = signed_in.post(NEW, fields | {"scheduled_for": start, "scheduled_until": "9999-12-31T23:59"})
    assert response.status_code == 422
    assert not Incident.objects.exists()


# Times that clocks skip, or show twice


def planned(follow, **times):
    fields = follow(f"{NEW}?kind=maintenance") | {"name": "Work", "body": "Soon."}
    return fields | {"scheduled_for": "2027-10-31T01:00", "scheduled_until": "2027-10-31T05:00"} | times


def test_a_time_that_does_not_exist_is_refused_with_those_that_do(signed_in, follow, acme):
    acme.time_zone = "Europe/Berlin"
    acme.save()
    times = {"scheduled_for": "2027-03-28T02:15", "scheduled_until": "2027-03-28T05:00"}
    response = signed_in.post(NEW, planned(follow, **times))
    assert response.status_code == 422
    assert "The nearest times are 2027-03-28T01:59 and 2027-03-28T03:00" in response.text
    assert not Incident.objects.exists()


@pytest.mark.parametrize(("which", "hour"), [("first", 0), ("second", 1)])
def test_a_time_that_comes_twice_is_asked_back_and_then_taken(signed_in, follow, acme, which, hour):
    acme.time_zone = "Europe/Berlin"
    acme.save()
    fields = planned(follow, scheduled_for="2027-10-31T02:30")
    asked = signed_in.post(NEW, fields)
    assert asked.status_code == 422
    assert "which" in asked.text
    assert soup(asked).find("select", {"name": "scheduled_for_which"})
    assert signed_in.post(NEW, fields | {"scheduled_for_which": which}).status_code == 302
    start = Incident.objects.get().scheduled_for
    assert (start.day, start.hour, start.minute) == (31, hour, 30)
