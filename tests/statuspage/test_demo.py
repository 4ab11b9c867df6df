"""The demo page: believable, consistent, quick, and it never writes to anybody."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from components.models import Component, Group, StatusSpan
from components.status import Status
from delivery.models import Account, Delivery, Notice
from incidents.models import Incident, Update
from incidents.phases import Kind, Phase
from pages.models import Page
from statuspage.demo import build_demo
from subscribers.models import Subscriber

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo() -> Page:
    return build_demo("https://status.example.com")


def test_it_is_made_in_under_three_seconds() -> None:
    began = time.process_time()  # not the clock on the wall: other tests use the same cores
    build_demo("https://status.example.com")
    assert time.process_time() - began < 3


def test_it_has_what_a_newcomer_should_see(demo: Page) -> None:
    assert (Group.objects.count(), Component.objects.count()) == (3, 12)
    assert Incident.objects.unresolved().count() == 1
    assert Incident.objects.upcoming().count() == 1
    assert Incident.objects.filter(kind=Kind.INCIDENT, resolved_at__isnull=False).count() >= 5
    assert Update.objects.filter(status=Phase.POSTMORTEM).count() == 1
    assert Update.objects.earliest("display_at").display_at < timezone.now() - timedelta(days=80)


def test_it_has_words_to_start_a_post_from(demo: Page) -> None:
    template = demo.templates.get()
    assert template.kind == Kind.INCIDENT
    assert all(component.page == demo for component in template.components.all())
    assert template.components.count() == 2


def test_the_maintenance_is_inside_its_notice_window_and_ahead(demo: Page) -> None:
    planned = Incident.objects.upcoming().get()
    assert planned.scheduled_for
    assert timedelta(0) < planned.scheduled_for - timezone.now() < timedelta(hours=demo.maintenance_notice_hours)


def test_only_the_open_incidents_components_are_in_trouble(demo: Page) -> None:
    troubled = set(Component.objects.exclude(status=Status.OPERATIONAL))
    assert troubled == set(Incident.objects.unresolved().get().components.all())


def test_the_spans_of_each_component_meet_without_gap_or_overlap(demo: Page) -> None:
    for component in Component.objects.all():
        spans = list(StatusSpan.objects.filter(component=component).order_by("started_at"))
        assert [span.ended_at for span in spans[:-1]] == [span.started_at for span in spans[1:]]
        assert spans[-1].ended_at is None
        assert spans[-1].status == component.status
        assert spans[0].started_at <= timezone.now() - timedelta(days=90)


def test_nothing_lies_in_the_future_but_maintenance(demo: Page) -> None:
    now = timezone.now()
    assert not Update.objects.filter(display_at__gt=now).exists()
    assert not StatusSpan.objects.filter(started_at__gt=now).exists()


def test_nobody_is_told(demo: Page) -> None:
    assert not Subscriber.objects.exists()
    assert not Notice.objects.exists()
    assert not Delivery.objects.exists()
    assert [account.credentials for account in Account.objects.all()] == [{}]
