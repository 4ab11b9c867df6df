"""The banner's script as it is served: the source with its colours, without comments and blanks.

It has two addresses. /embed.js is always the newest version. /embed.<version>.js never changes, for sites that use its SRI
value: if its bytes changed in an upgrade, browsers would refuse the script and the banner would be missing. So the bytes
of every version are kept in public/embed_versions/ and never removed or changed; all of them read the current
/api/banner.json. `manage.py keep_embed` adds the newest one.
"""

import hashlib
import re
from base64 import b64encode
from functools import cache
from pathlib import Path

from django.conf import settings

from core.colours import COLOURS

BLANK = 'const COLOURS = "";'  # as it stands in static/js/embed.js
# By the name under which a site can set a colour (--status-banner-text): the token that is the default.
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
    """The newest version. It is the same for all pages and languages, because /api/banner.json contains the words."""
    source = (settings.BASE_DIR / "static" / "js" / "embed.js").read_text(encoding="utf-8")
    return compact(source.replace(BLANK, f'const COLOURS = "{_declare_colours()}";')).encode()


def version_of(body: bytes) -> str:
    """The first twelve hex digits of the SHA-384 hash of the bytes."""
    return hashlib.sha384(body).hexdigest()[:12]


def integrity_of(body: bytes) -> str:
    """The value of the attribute `integrity`."""
    return f"sha384-{b64encode(hashlib.sha384(body).digest()).decode()}"


@cache
def kept_versions() -> dict[str, bytes]:
    """The bytes of every version that was ever served, by its name."""
    return {path.stem: path.read_bytes() for path in sorted(KEPT.glob("*.bytes"))}


def _declare_colours() -> str:
    pairs = ((name, COLOURS[token]) for name, token in TOKENS.items())
    return "".join(
        f"--{name}:var(--status-banner-{name},light-dark({colour.light},{colour.dark}));" for name, colour in pairs
    )


def compact(source: str) -> str:
    """`source` without comment lines, indentation and blanks around operators. It requires a semicolon after every
    statement."""
    lines = (line.strip() for line in source.splitlines())
    code = "\n".join(line for line in lines if line and not line.startswith("//"))
    parts = LITERALS.split(code)
    parts[::2] = [re.sub(r"\s*([=(){},;:?&|+<>*-])\s*", r"\1", part) for part in parts[::2]]
    parts[1::2] = [_compact_sheet(part) if "\n" in part else part for part in parts[1::2]]
    return "".join(parts)


def _compact_sheet(css: str) -> str:
    return re.sub(r"\s*([{};:,])\s*", r"\1", css).replace(";}", "}")
