"""Builds the notice of an alarm, for staff on call. It is never stored."""

import hashlib
import re
from datetime import UTC, datetime
from enum import Enum
from typing import Self

from django.conf import settings
from django.utils import timezone
from django.utils.html import escape

from canary.findings import Finding
from delivery.models import Notice
from pages.models import Page

TITLE_LIMIT = 200
# The characters of Markdown: an alarm names settings and addresses, which must be shown unchanged.
MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|~&-])")


class AlarmStage(Enum):
    RAISED = "Alarm"
    REMINDER = "Still wrong"
    CLEAR = "All clear. It was"

    @classmethod
    def of(cls, *, is_clear: bool, is_reminder: bool) -> Self:
        return cls.CLEAR if is_clear else cls.REMINDER if is_reminder else cls.RAISED


STAGES = {
    AlarmStage.RAISED: Notice.Stage.FIRST,
    AlarmStage.REMINDER: Notice.Stage.MIDDLE,
    AlarmStage.CLEAR: Notice.Stage.LAST,
}


def build_notice(page: Page, finding: Finding, since: datetime, stage: AlarmStage, told_at: str) -> Notice:
    """The notice for one account. `told_at`: when the account last got this alarm, "" for never.

    `told_at` is part of the code, so that a repeated attempt has the same code and the next reminder another one.
    """
    headline, *more = finding.text.splitlines()
    lines = [*more, f"Since {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC."]
    return Notice(
        page=page,
        audience=Notice.Audience.STAFF,
        code=_code(finding.key, since.isoformat(), stage.name, told_at),
        thread=finding.key,
        stage=STAGES[stage],
        title=" ".join(headline.split())[:TITLE_LIMIT],
        status_label=stage.value,
        severity="critical",
        body="\n\n".join(MARKUP.sub(r"\\\1", line) for line in lines),
        body_html="".join(f"<p>{escape(line)}</p>" for line in lines),
        link=staff_link(),
        created_at=timezone.now(),
    )


def staff_link() -> str:
    """The URL of the staff overview, which shows more; "" when PUBLIC_URL is not set."""
    return f"{settings.PUBLIC_URL.rstrip('/')}/staff/" if settings.PUBLIC_URL else ""


def _code(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
