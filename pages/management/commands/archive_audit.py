"""Old entries of the audit log leave the database for a file that keeps them."""

import json
import os
from argparse import ArgumentParser
from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from pages.models import AuditEntry


class Command(BaseCommand):
    help = "Move audit entries older than so many days into a new file (one JSON object a line)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="A file that is not there yet.")
        parser.add_argument("--days", type=int, default=365, help="Entries of the last days that stay (365).")

    def handle(self, *args: Any, **options: Any) -> None:
        file, days = options["file"], options["days"]
        if days < 1:
            raise CommandError("--days must be 1 or more.")
        old = AuditEntry.objects.filter(created_at__lt=timezone.now() - timedelta(days=days))
        try:
            with file.open("x", encoding="utf-8") as archive:
                count = _move(old, archive)
        except FileExistsError:
            raise CommandError(f"{file} is there already: an archive is never written over.") from None
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}. Nothing was deleted.") from None
        if not count:
            file.unlink()
        self.stdout.write(
            f"{count} audit entries older than {days} days moved to {file}." if count else "None is so old."
        )


def _move(old: Any, archive: TextIO) -> int:
    """They are deleted once the file is safely on its disk."""
    with transaction.atomic():
        keys = []
        for entry in old.order_by("pk").select_for_update().iterator(chunk_size=1000):
            keys.append(entry.pk)
            archive.write(json.dumps(_as_json(entry), ensure_ascii=False) + "\n")
        archive.flush()
        os.fsync(archive.fileno())
        AuditEntry.objects.drop_archived(keys)
    return len(keys)


def _as_json(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.pk,
        "created_at": entry.created_at.isoformat(),
        "page_id": entry.page_id,
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "detail": entry.detail,
    }
