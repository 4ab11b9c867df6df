"""The banner's script as it is served: the source with its colours, without what only its readers need.

It has two addresses. /embed.js is always the newest. /embed.<version>.js is one version for ever, for who names its SRI value:
there the bytes must be the same after every upgrade, or browsers refuse the script and nobody sees the banner, in the
middle of an outage perhaps. So the bytes of every version are kept in public/embed_versions/ and none is ever removed
or changed; all of them read today's /api/banner.json. `manage.py keep_embed` adds the newest one.
"""

import hashlib
import re
from base64 import b64encode
from functools import cache
from pathlib import Path

from django.conf import settings

from core.colours import COLOURS

BLANK = 'const COLOURS = "";'  # as it stands in static/js/embed.js
# By the name that a page around the banner sets it with (--status-banner-text): the token that is drawn without that.
TOKENS = {
    "text": "ink",
    "muted": "soft",
    "background": "card",
    "minor": "deg",
    "major": "part",
    "critical": "maj",
    "maintenance": "maint",
}
KEPT = Path(settings.BASE_DIR, "public", "embed_versions")
LITERALS = re.compile(r"""("[^"\n]*"|'[^'\n]*'|`[^`]*`|/[^/\s][^/\n]*/)""")


@cache
def script() -> bytes:
    """The same for every page and language: its words come with /api/banner.json."""
    source = (settings.BASE_DIR / "static" / "js" / "embed.js").read_text(encoding="utf-8")
    return compact(source.replace(BLANK, f'const COLOURS = "{_declare_colours()}";')).encode()


def version_of(body: bytes) -> str:
    """Twelve digits, from the bytes themselves."""
    return hashlib.sha384(body).hexdigest()[:12]


def integrity_of(body: bytes) -> str:
    """The value of the attribute `integrity`."""
    return f"sha384-{b64encode(hashlib.sha384(body).digest()).decode()}"


@cache
def kept_versions() -> dict[str, bytes]:
    """Every version that was ever served, by its name."""
    return {path.stem: path.read_bytes() for path in sorted(KEPT.glob("*.bytes"))}


def _declare_colours() -> str:
    pairs = ((name, COLOURS[token]) for name, token in TOKENS.items())
    return "".join(
        f"--{name}:var(--status-banner-{name},light-dark({colour.light},{colour.dark}));" for name, colour in pairs
    )


def compact(source: str) -> str:
    """Without comments that have a line of their own, indentation, and spaces around signs. It relies on a semicolon
    after every statement."""
    lines = (line.strip() for line in source.splitlines())
    code = "\n".join(line for line in lines if line and not line.startswith("//"))
    parts = LITERALS.split(code)
    parts[::2] = [re.sub(r"\s*([=(){},;:?&|+<>*-])\s*", r"\1", part) for part in parts[::2]]
    parts[1::2] = [_compact_sheet(part) if "\n" in part else part for part in parts[1::2]]
    return "".join(parts)


def _compact_sheet(css: str) -> str:
    return re.sub(r"\s*([{};:,])\s*", r"\1", css).replace(";}", "}")
