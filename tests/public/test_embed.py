"""The banner's script as it is served: small, and the same bytes for every page and language."""

import gzip
import re

import brotli
import pytest
from django.conf import settings

from core.colours import COLOURS
from public.documents import embed

SOURCE = (settings.BASE_DIR / "static" / "js" / "embed.js").read_text()
DOCS = (settings.BASE_DIR / "docs" / "banner.md").read_text()


def test_it_is_at_most_three_kilobytes_compressed() -> None:
    assert len(brotli.compress(embed.script(), quality=9)) <= 3_000
    assert len(gzip.compress(embed.script(), mtime=0)) <= 3 * 1024


def test_it_draws_with_the_tokens_and_a_page_may_set_each_colour() -> None:
    text = embed.script().decode()
    assert embed.BLANK in SOURCE
    assert embed.BLANK not in text
    for name, token in embed.TOKENS.items():
        light, dark = COLOURS[token]
        assert f"--{name}:var(--status-banner-{name},light-dark({light},{dark}));" in text
        assert f"`--status-banner-{name}`" in DOCS


def test_every_variable_that_it_reads_is_documented() -> None:
    for name in re.findall(r"var\((--status-banner-\w+)", embed.script().decode()):
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
    assert embed.compact(source) == served
