"""Clients from PyPI that were written for Statuspage, pointed at our page by their own configuration."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import feedparser
import pytest

from tests.processes import python

pytestmark = [pytest.mark.clients, pytest.mark.xdist_group("clients")]


def test_arez_reads_the_summary(site: str) -> None:
    script = Path(__file__).with_name("read_with_arez.py")
    result = subprocess.run(python(script, site), capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "name": "Acme",
        "status": "Minor Service Outage",
        "impact": "Minor",
        "updated_at": "2026-03-10T10:30:00",
        "groups": {"Chat": ["Chat API", "Events"]},
        "components": {"Chat API": "Partial Outage", "Events": "Operational", "Website": "Operational"},
        "incidents": [["Messages delayed", "Identified", "Major", "We found it.\n\nA fix is on its way."]],
        "maintenances": [["Database work", "Scheduled", "2026-04-01T00:00:00"]],
    }


def test_the_prometheus_exporter_measures_the_page(site: str, tmp_path: Path) -> None:
    services, metrics = tmp_path / "services.json", tmp_path / "acme.prom"
    services.write_text(json.dumps({"acme": {"url": f"{site}/api/v2/summary.json", "name": "Acme"}}))
    env = {"RUN_MODE": "once", "SERVICES_JSON_PATH": str(services), "METRICS_TEXTFILE_PATH": str(metrics)}
    exporter = Path(sys.executable).with_name("statuspage-prometheus-exporter")
    result = subprocess.run([exporter], cwd=tmp_path, env=os.environ | env, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    text = metrics.read_text()
    assert 'statuspage_probe_check{service_name="Acme"} 1.0' in text
    assert 'statuspage_service_status{service_name="Acme"} 0.0' in text
    assert 'statuspage_component_status{component_name="Chat API",service_name="Acme"} 0.0' in text
    assert 'statuspage_component_status{component_name="Website",service_name="Acme"} 1.0' in text
    assert re.search(rf'statuspage_incident_info{{[^}}]*"{site}/incidents/acme00inc001"', text)
    assert re.search(r'statuspage_maintenance_info{[^}]*maintenance_name="Database work"', text)


@pytest.mark.parametrize(
    ("path", "version"), [("/history.rss?dates=statuspage", "rss20"), ("/history.atom?dates=statuspage", "atom10")]
)
def test_feedparser_reads_each_feed(site: str, path: str, version: str) -> None:
    feed = feedparser.parse(site + path)
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == version
    assert feed.feed.title == "Acme Status - Incident History"
    assert [entry.title for entry in feed.entries] == ["Database work", "Messages delayed", "Slow &amp; steady <b>"]
    assert [entry.published_parsed[:5] for entry in feed.entries] == [
        (2026, 4, 1, 0, 0),
        (2026, 3, 10, 10, 30),
        (2026, 1, 1, 23, 20),
    ]
    assert feed.entries[1].link == f"{site}/incidents/acme00inc001"
    body = feed.entries[1].content[0].value if feed.entries[1].get("content") else feed.entries[1].summary
    assert "<strong>Identified</strong> - We found it.<br /><br />A fix is on its way." in body
