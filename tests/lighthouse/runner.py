"""Lighthouse, as npm brings it (`make lighthouse` installs it), on a page of ours as a phone sees it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent
PROGRAM = HOME / "node_modules/lighthouse/cli/index.js"
LEAST_NODE = 18
# Nothing of it may call other hosts.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SECONDS = 180
TRIES = 4
"""It loses its hold of the browser now and then, and then asks to be run again."""


@dataclass
class Report:
    """Scores are 0 to 100, by category."""

    scores: dict[str, int]
    failed: list[str]
    """Audits that count and are not passed: category, id, what was found."""
    layout_shift: float
    transferred: dict[str, int]
    """Compressed bytes, by kind: document, stylesheet, script …"""
    requests: int
    """Of the page itself: the favicon is not counted."""


def why_not() -> str | None:
    """Why it cannot run here; None when it can."""
    node = shutil.which("node")
    if node is None:
        return "node is not installed"
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout
    if int(version.strip("v\n").split(".")[0]) < LEAST_NODE:
        return f"node {version.strip()} is too old: {LEAST_NODE} is needed"
    if not PROGRAM.exists():
        return "Lighthouse is not installed: run “make lighthouse”"
    return None


def run(url: str, chromium: str, directory: Path, *, speed: bool = True) -> Report:
    """`directory`: where it may write. Without `speed`, which depends on what else the machine does, its score is missing."""
    output = directory / "report.json"
    command = ["node", str(PROGRAM), url, "--quiet", "--no-enable-error-reporting", "--output=json"]
    command += [f"--output-path={output}", f"--chrome-flags={' '.join(FLAGS)}"]
    if not speed:
        command += ["--only-categories=accessibility,best-practices,seo"]
        command += ["--only-audits=cumulative-layout-shift,resource-summary"]
    for _ in range(TRIES):
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=SECONDS,
            env={"PATH": os.environ["PATH"], "HOME": str(directory), "CHROME_PATH": chromium},
        )  # fmt: skip
        if done.returncode == 0:
            report = json.loads(output.read_text())
            if all(found["score"] is not None for found in report["categories"].values()):
                return read(report)
            continue  # it could not judge one of them
        if "Runtime error encountered" not in done.stderr:
            break
    sys.exit(f"Lighthouse failed on {url}: {done.stderr[-2000:]}")


def read(report: dict[str, Any]) -> Report:
    audits = report["audits"]
    failed = [
        f"{category} {each['id']}: {audits[each['id']].get('displayValue') or audits[each['id']]['title']}"
        for category, found in report["categories"].items()
        for each in found["auditRefs"]
        if each["weight"] and (audits[each["id"]]["score"] or 0) < 1 and audits[each["id"]]["score"] is not None
    ]
    resources = {each["resourceType"]: each for each in audits["resource-summary"]["details"]["items"]}
    return Report(
        scores={name: round(found["score"] * 100) for name, found in report["categories"].items()},
        failed=failed,
        layout_shift=audits["cumulative-layout-shift"]["numericValue"],
        transferred={kind: each["transferSize"] for kind, each in resources.items()},
        requests=resources["total"]["requestCount"] - resources["other"]["requestCount"],
    )
