"""The banner's script as it is served: small, and the same bytes for every page and language."""

import gzip
import hashlib
import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING

import brotli
import pytest
from django.conf import settings
from django.utils import timezone

from core import banner_script
from core.colours import COLOURS
from pages.models import Page
from public.serving.document_list import list_all

if TYPE_CHECKING:
    from tests.public.conftest import Get

SOURCE = (settings.BASE_DIR / "static" / "js" / "embed.js").read_text()
DOCS = (settings.BASE_DIR / "docs" / "banner.md").read_text()


def test_it_is_at_most_three_kilobytes_compressed() -> None:
    assert len(brotli.compress(banner_script.script(), quality=9)) <= 3_000
    assert len(gzip.compress(banner_script.script(), mtime=0)) <= 3 * 1024


def test_it_draws_with_the_tokens_and_a_page_may_set_each_colour() -> None:
    text = banner_script.script().decode()
    assert banner_script.BLANK in SOURCE
    assert banner_script.BLANK not in text
    for name, token in banner_script.TOKENS.items():
        light, dark = COLOURS[token]
        assert f"--{name}:var(--status-banner-{name},light-dark({light},{dark}));" in text
        assert f"`--status-banner-{name}`" in DOCS


def test_every_variable_that_it_reads_is_documented() -> None:
    for name in re.findall(r"var\((--status-banner-\w+)", banner_script.script().decode()):
        assert f"`{name}`" in DOCS


@pytest.mark.parametrize(
    ("source", "served"),
    [
        ("// Said to readers.\n  const a = 1;\n", "const a=1;"),
        ('const a = "b  =  c";\n', 'const a="b  =  c";'),
        ("const a = `b: ${c}, d`;", "const a=`b: ${c}, d`;"),
        ("const a = `\n  .b { c: d; }\n  .e { f: g; }\n`;", "const a=`\n.b{c:d}.e{f:g}`;"),
        ("if (/^(a|b) ?$/.test(c)) d();", "if(/^(a|b) ?$/.test(c))d();"),
        ("const a = b / 2, c = d / 3;", "const a=b / 2,c=d / 3;"),
    ],
)
def test_only_what_readers_of_the_source_need_is_left_out(source: str, served: str) -> None:
    assert banner_script.compact(source) == served


def test_the_present_version_is_kept() -> None:
    """Else: manage.py keep_embed, and commit the new file."""
    assert banner_script.kept_versions()[banner_script.version_of(banner_script.script())] == banner_script.script()


def test_no_kept_version_was_ever_changed() -> None:
    """Nor may one be removed: apps that name its SRI value load nothing else."""
    for name, body in banner_script.kept_versions().items():
        assert banner_script.version_of(body) == name


def test_every_kept_version_is_served_for_ever_and_to_every_site(get: "Get", acme: Page) -> None:
    for name, body in banner_script.kept_versions().items():
        answer = get(f"/embed.{name}.js")
        assert answer.content == body
        assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert answer["Content-Type"] == "text/javascript; charset=utf-8"
        assert f"/embed.{name}.js" in list_all(acme, timezone.now().date())


def test_the_sri_value_is_published(get: "Get", acme: Page) -> None:
    said = json.loads(get("/embed.json").content)
    body = get(said["url"].removeprefix(acme.url)).content
    assert body == get("/embed.js").content
    assert said["integrity"] == f"sha384-{b64encode(hashlib.sha384(body).digest()).decode()}"


def test_an_unknown_version_says_where_the_newest_is(get: "Get", acme: Page) -> None:
    answer = get("/embed.0123456789ab.js")
    assert answer.status_code == 404
    assert answer.content.decode().startswith("// There is no version “0123456789ab” of the banner here.")
    assert "immutable" not in answer["Cache-Control"]
