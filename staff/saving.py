"""What every deed of the staff has in common: audited in its own transaction, and public pages follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import models, transaction
from django.db.models import QuerySet
from django.forms import BaseForm
from django.http import HttpRequest
from django.utils import timezone

from pages.models import Page, record_audit
from staff.changes import ChangesForm


@contextmanager
def doing(
    request: HttpRequest, page: Page | None, action: str, target: str, *, is_public: bool = True
) -> Iterator[dict[str, Any]]:
    """One deed in one transaction; what is put into the dict it gives enters the audit log with it.

    One that visitors can see (`is_public`) raises the page's generation first, which also makes the writers of a
    page queue up.
    """
    with transaction.atomic():
        if is_public:
            _raise_generation(page)
        detail: dict[str, Any] = {}
        yield detail
        record_audit(_stored(page), request.user.get_username(), action, target, **detail)


@contextmanager
def saving(
    request: HttpRequest,
    form: BaseForm,
    obj: Any,
    page_of: Callable[[Any], Page | None],
    *,
    is_public: bool = True,
    secrets: frozenset[str] = frozenset(),
) -> Iterator[None]:
    """The same around saving a form's object; only what this person changed is taken from the form.

    `secrets` names fields whose values must not enter the audit log.
    """
    change = not obj._state.adding
    deed = f"{obj._meta.model_name}.{'change' if change else 'add'}"
    with transaction.atomic():
        if is_public:
            _raise_generation(page_of(obj))
        if change and isinstance(form, ChangesForm):
            form.take_the_rest_as_stored()
        if change and hasattr(obj, "updated_at"):
            obj.updated_at = timezone.now()
        yield
        changes = describe_changes(form, change=change, secrets=secrets)
        # A new page has its row by now.
        record_audit(_stored(page_of(obj)), request.user.get_username(), deed, str(obj), fields=changes)


def _stored(page: Page | None) -> Page | None:
    """The page, if it has a row: one that is just being added or was deleted has none."""
    return page if page is not None and page.pk else None


def _raise_generation(page: Page | None) -> None:
    if stored := _stored(page):
        stored.raise_generation()


def describe_changes(form: Any, *, change: bool, secrets: frozenset[str] = frozenset()) -> dict[str, list[str]]:
    """By field: [before, after]; only what changed, and of secrets only that they did."""
    described = {}
    for name in form.changed_data:
        before = form.initial.get(name) if change else None
        values = [before, form.cleaned_data.get(name)]
        described[name] = ["…", "…"] if name in secrets else [_as_text(value) for value in values]
    return described


def _as_text(value: Any) -> str:
    """As it is kept in the log: a row by its key, so that both sides of a change read alike."""
    if isinstance(value, QuerySet | list):
        return ", ".join(sorted(_as_text(each) for each in value))
    if isinstance(value, models.Model):
        return str(value.pk)
    return "" if value is None else str(value)
