# Django is not set up yet when this file is loaded, so models are imported inside the fixtures.
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

    from pages.models import Page


@pytest.fixture
def acme(db: None) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Acme Status", url="https://status.acme.example")


@pytest.fixture
def globex(db: None) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Globex Status", url="https://status.globex.example")


def sign_in(client: Client, *permissions: str) -> User:
    from django.contrib.auth.models import Permission, User

    user = User.objects.create_user("ada", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="pages", codename__in=permissions))
    client.force_login(user)
    return user


@pytest.fixture
def administrator(client: Client, db: None) -> User:
    """Signed in with the right to administer."""
    return sign_in(client, "administer")


@pytest.fixture
def looker(client: Client, db: None) -> User:
    """Signed in as staff who may publish, and no more."""
    return sign_in(client, "publish")
