"""Old audit entries move to a file, whole or not at all."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import models
from django.utils import timezone

from pages.models import AuditEntry, Page, record_audit


@pytest.fixture
def entries(acme: Page) -> list[AuditEntry]:
    """Of 400, 366 and 10 days ago."""
    made = [record_audit(acme, "ada", f"incident.{days}", "Öl & “x”", fields={"a": days}) for days in (400, 366, 10)]
    for entry, days in zip(made, (400, 366, 10), strict=True):
        moment = timezone.now() - timedelta(days=days)
        models.QuerySet(AuditEntry).filter(pk=entry.pk).update(created_at=moment)
    return made


def test_old_entries_are_in_the_file_and_no_longer_in_the_database(entries: list[AuditEntry], tmp_path: Path) -> None:
    call_command("archive_audit", tmp_path / "audit.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["action"] for line in lines] == ["incident.400", "incident.366"]
    assert lines[0]["target"] == "Öl & “x”"
    assert lines[0]["detail"] == {"fields": {"a": 400}}
    assert [entry.action for entry in AuditEntry.objects.all()] == ["incident.10"]


def test_an_archive_is_never_written_over(entries: list[AuditEntry], tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_text("of last year\n")
    with pytest.raises(CommandError, match="is there already"):
        call_command("archive_audit", tmp_path / "audit.jsonl")
    assert (tmp_path / "audit.jsonl").read_text() == "of last year\n"
    assert AuditEntry.objects.count() == 3


def test_a_file_that_cannot_be_written_deletes_nothing(entries: list[AuditEntry], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="Nothing was deleted"):
        call_command("archive_audit", tmp_path / "no" / "audit.jsonl")
    assert AuditEntry.objects.count() == 3


def test_nothing_old_leaves_no_empty_file(acme: Page, tmp_path: Path) -> None:
    call_command("archive_audit", tmp_path / "audit.jsonl")
    assert list(tmp_path.iterdir()) == []
