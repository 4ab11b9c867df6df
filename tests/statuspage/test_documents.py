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


def test_how_much_may_be_repeated_is_what_the_code_holds_in_flight() -> None:
    from django.conf import settings

    from delivery.channels.email import Email
    from delivery.ledger.sender import RECORD_EVERY_SECONDS

    said = " ".join((ROOT / "docs/delivery.md").read_text().split())
    assert f"at most {RECORD_EVERY_SECONDS} seconds' mails, and never more than its batch of {Email.batch_size}" in said
    assert f"at most {settings.EMAIL_CONNECTIONS} for each worker (`EMAIL_CONNECTIONS`)" in said
