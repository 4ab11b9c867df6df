from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from statuspage import up


class Command(BaseCommand):
    help = "Run everything: database, broker, web server, workers and clock, until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-demo", action="store_true", help="leave an empty database empty")

    def handle(self, *args: Any, **options: Any) -> None:
        up.run(demo=not options["no_demo"])
