from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from pages.models import Page
from statuspage.demo import build_demo


class Command(BaseCommand):
    help = "Fill an empty database with an invented company's page, to look around in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", help="the page's public address", default=settings.PUBLIC_URL)

    def handle(self, *args: Any, **options: Any) -> None:
        if Page.objects.exists():
            raise CommandError("There is a page already; the demo is for an empty database.")
        page = build_demo(options["url"] or f"http://localhost:{settings.PORT}")
        self.stdout.write(f"{page.name}: {page.url}")
