"""Clients from npm: statuspage.io and rss-parser, installed from the lock beside them, run by node.

Where node and npm are, clients that cannot be installed are a failure, with npm's reason. Without a network, set
npm's own `NPM_CONFIG_OFFLINE=true`: what npm has not kept from before is then skipped.
"""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "node"
INSTALL_SECONDS = 100
pytestmark = [
    pytest.mark.clients,
    pytest.mark.xdist_group("clients"),
    pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="node and npm are not on the path"),
]


@pytest.fixture(scope="module")
def installed() -> None:
    """The clients in node_modules, which is kept between runs as long as the lock stays the same."""
    lock = (HERE / "package-lock.json").read_bytes()
    complete = HERE / "node_modules" / f".complete-{hashlib.sha256(lock).hexdigest()[:12]}"
    if complete.exists():
        return
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        result = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.fail(f"npm did not install the clients within {INSTALL_SECONDS} s", pytrace=False)
    if result.returncode:
        give_up = pytest.skip if os.environ.get("NPM_CONFIG_OFFLINE") == "true" else pytest.fail
        give_up(f"npm cannot install the clients: {result.stderr.strip()[-500:]}")
    complete.touch()


@pytest.fixture(scope="module")
def seen(site: str, installed: None) -> Any:
    result = subprocess.run(["node", "read.mjs", site], cwd=HERE, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_statuspage_client_reads_every_document(seen: Any) -> None:
    assert seen["status"]["status"] == {"indicator": "minor", "description": "Minor Service Outage"}
    assert seen["summary"]["status"] == seen["status"]["status"]
    assert [each["name"] for each in seen["components"]["components"]] == ["Chat", "Chat API", "Events", "Website"]
    assert [each["name"] for each in seen["incidents"]["incidents"]] == ["Messages delayed", "Slow &amp; steady <b>"]
    assert [each["name"] for each in seen["unresolved"]["incidents"]] == ["Messages delayed"]
    assert [each["name"] for each in seen["maintenances"]["scheduled_maintenances"]] == ["Database work"]
    assert seen["upcoming"] == seen["maintenances"]


def test_rss_parser_reads_both_feeds_alike(seen: Any, site: str) -> None:
    for feed in (seen["rss"], seen["atom"]):
        assert feed["title"] == "Acme Status - Incident History"
        assert [(item["title"], item["date"]) for item in feed["items"]] == [
            ("Database work", "2026-04-01T00:00:00.000Z"),
            ("Messages delayed", "2026-03-10T10:30:00.000Z"),
            ("Slow &amp; steady <b>", "2026-01-01T23:20:15.000Z"),
        ]
        assert feed["items"][1]["link"] == f"{site}/incidents/acme00inc001"
        assert "<strong>Identified</strong> - We found it." in feed["items"][1]["content"]
    assert seen["rss"]["items"][0]["end"] == "Wed, 01 Apr 2026 03:00:00 +0200"
