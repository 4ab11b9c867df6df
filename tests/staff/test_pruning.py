from datetime import UTC, datetime, timedelta

from django.contrib.sessions.models import Session

from staff import tasks

DAY = timedelta(days=1)


def test_sessions_that_ran_out_are_deleted(db: None) -> None:
    for name, days in (("old", -1), ("live", 1)):
        Session.objects.create(session_key=name, session_data="", expire_date=datetime.now(UTC) + days * DAY)
    tasks.prune.apply(throw=True)
    assert [each.session_key for each in Session.objects.all()] == ["live"]
