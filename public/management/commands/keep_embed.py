"""Keeps the bytes of the banner's script, after static/js/embed.js or a colour of its was changed."""

from typing import Any

from django.core.management.base import BaseCommand

from core import banner_script


class Command(BaseCommand):
    help = "Keep the present version of the banner's script for its address that never changes."

    def handle(self, *args: Any, **options: Any) -> None:
        body = banner_script.script()
        path = banner_script.KEPT / f"{banner_script.version_of(body)}.bytes"
        path.write_bytes(body)
        self.stdout.write(f"{path.name}: commit this file. Those that are there stay.")
