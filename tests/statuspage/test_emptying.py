"""The database is empty after a test that has committed, as Django leaves it. The tests of this file stand in order."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User

from pages.models import Page
from tests.emptying import LASTING, lasting_rows

pytestmark = pytest.mark.django_db(transaction=True)
DUPLICATE = "Publishers of a test"


def filled_tables() -> set[str]:
    return {model._meta.db_table for model in apps.get_models(include_auto_created=True) if model.objects.exists()}


def test_rows_are_written() -> None:
    Page.objects.create(name="Acme", url="https://status.acme.example")
    User.objects.create_user("ann").groups.add(Group.objects.get(name="Publishers"))
    assert {"pages_page", "auth_user", "auth_user_groups"} <= filled_tables()


def test_they_are_gone_and_what_migrating_writes_is_there() -> None:
    assert filled_tables() == set(LASTING)
    Group.objects.filter(name="Publishers").update(name=DUPLICATE)
    Permission.objects.first().delete()


def test_what_migrating_writes_is_there_again_after_a_test_has_changed_it() -> None:
    assert filled_tables() == set(LASTING)
    assert Group.objects.filter(name="Publishers").exists()
    assert not Group.objects.filter(name=DUPLICATE).exists()
    wanted = sum(len(model._meta.default_permissions) + len(model._meta.permissions) for model in apps.get_models())
    assert len(lasting_rows()["auth_permission"]) == wanted
