"""The files in locale/: English as extracted, other languages brought up to it and compiled."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from catalogue.extraction import ROOT, extract

LOCALE = ROOT / "locale"
SOURCE = "en"
FILE = Path("LC_MESSAGES", "django.po")
# They change although no sentence does.
RESTLESS = re.compile(rb'^"(?:POT-Creation-Date|PO-Revision-Date|Generated-By): .*"\n', re.MULTILINE)
HEADER = """\
# Sentences of the status page. English is the source: “make messages” writes this file, and brings the
# other languages up to it. How to add a language: CONTRIBUTING.md.
#"""


def build_files(locale: Path = LOCALE, root: Path = ROOT) -> dict[Path, bytes]:
    """What belongs in `locale`, by path. Translations are taken from what is there."""
    source = extract(root)
    source.header_comment = HEADER
    wanted = {locale / SOURCE / FILE: as_po(source)}
    for path in list_translations(locale):
        translated = read(path)
        translated.update(source, no_fuzzy_matching=False, keep_user_comments=True)
        translated.obsolete.clear()
        wanted[path] = as_po(translated)
        wanted[path.with_suffix(".mo")] = as_mo(translated)
    return wanted


def list_translations(locale: Path = LOCALE) -> list[Path]:
    return sorted(path for path in locale.glob(f"*/{FILE}") if path.parts[-3] != SOURCE)


def read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], abort_invalid=True)


def as_po(catalog: Catalog) -> bytes:
    written = BytesIO()
    write_po(written, catalog, width=0, sort_output=True, include_lineno=False, ignore_obsolete=True)
    return RESTLESS.sub(b"", written.getvalue())


def as_mo(catalog: Catalog) -> bytes:
    """Without uncertain (“fuzzy”) translations: people read the English sentence until somebody has looked."""
    catalog.revision_date = catalog.creation_date
    written = BytesIO()
    write_mo(written, catalog)
    return written.getvalue()


def find_stale(locale: Path = LOCALE, root: Path = ROOT) -> Iterator[str]:
    for path, content in build_files(locale, root).items():
        if not path.exists() or path.read_bytes() != content:
            yield f"{path.relative_to(root)} is not what “make messages” makes of the sentences."


def find_mistakes(locale: Path = LOCALE, root: Path = ROOT) -> Iterator[str]:
    """Translations whose placeholders are not those of the sentence."""
    for path in list_translations(locale):
        for message, errors in read(path).check():
            for error in errors:
                yield f"{path.relative_to(root)}: “{message.id}”: {error}"


def update(locale: Path = LOCALE, root: Path = ROOT) -> None:
    for path, content in build_files(locale, root).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
