"""The documents lead somewhere: what they and the code refer to is there."""

import re
from pathlib import Path

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.once
TEXTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
APPS = (
    "statuspage",
    "pages",
    "components",
    "incidents",
    "subscribers",
    "delivery",
    "canary",
    "intake",
    "public",
    "static",
)


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)
def test_every_link_of_a_document_leads_to_a_file(text: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text.read_text())
    missing = [link for link in links if not (text.parent / link).exists()]
    assert missing == []


def test_every_document_that_code_refers_to_is_there() -> None:
    sources = [path for app in APPS for path in ROOT.joinpath(app).rglob("*") if path.suffix in (".py", ".js", ".css")]
    named = {name for path in sources for name in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text())}
    assert len(named) > 3
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
