# Django is not set up yet when this file is loaded, so models are imported inside the fixtures.
from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from components.models import Component
    from pages.models import Page

BORN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def acme(db: None) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Acme Status", url="https://status.example.com")


@pytest.fixture
def chat(acme: Page) -> Component:
    """Operational since the first of January 2026."""
    from components.models import Component

    return Component.objects.create(page=acme, name="Chat API", created_at=BORN)
