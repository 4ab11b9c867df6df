"""Lighthouse's speed score of the public pages, as on a slow phone: medians of alternating rounds."""

import re
import shutil
import statistics
import sys
import tempfile
import urllib.request
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from pathlib import Path

from bench.serve import say
from bench.start import start
from tests.lighthouse import runner

WANTED = 100


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=3, help="of each page (3)")


def main(options: Namespace) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if problem := runner.why_not() or (None if chromium else "Chromium is not installed"):
        sys.exit(f"Lighthouse was not run: {problem}.")
    with tempfile.TemporaryDirectory() as directory, start(Path(directory) / "data") as (server, _):
        scores = defaultdict(list)
        url = f"http://localhost:{server.port}"
        pages = list_pages(url)
        for _ in range(options.rounds):
            for path in pages:
                report = runner.run(url + path, str(chromium), Path(directory))
                scores[path].append(report.scores["performance"])
        for path, values in scores.items():
            said = f"{statistics.median(values):.0f} ({min(values)} to {max(values)}; wanted {WANTED})"
            say(f"lighthouse {re.sub('/[a-z0-9]{12}$', '/…', path)}, speed", said)


def list_pages(url: str) -> list[str]:
    with urllib.request.urlopen(url) as answer:
        front = answer.read().decode()
    linked = [re.search(rf"/{kind}/[a-z0-9]+", front) for kind in ("incidents", "components")]
    return ["/", *(found[0] for found in linked if found), "/history", "/subscribe"]
