"""Two languages that nobody speaks, made from the catalogue: what is not translated, not escaped or too narrow shows.

en-xa has accents and is 40 % longer, ar-xb is written in Arabic letters from the right; both put each sentence in
⟦brackets⟧. Django's own sentences (names of months, messages of forms) are in them too.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import django
from babel.messages.catalog import Catalog, Message
from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PreformattedString

from catalogue.extraction import extract
from catalogue.files import as_mo, read

LONGER, FROM_THE_RIGHT = "en-xa", "ar-xb"
ENGLISH = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
LETTERS = {
    LONGER: str.maketrans(ENGLISH, "åƀçđéƒĝĥîĵķļɱñöþɋřšţûṽŵẋýžÅƁÇĐÉƑĜĤÎĴĶĻṀÑÖÞɊŘŠŢÛṼŴẊÝŽ"),
    FROM_THE_RIGHT: str.maketrans(ENGLISH, "ابتثجحخدذرزسشصضطظعغفقكلمنه" * 2),
}
FOLDERS = {LONGER: ("en_XA", "en"), FROM_THE_RIGHT: ("ar_XB", "ar")}
KEPT = re.compile(r"(%(?:\(\w+\))?[a-z%]|\{\w*\}|<[^>]*>|&\w+;|\S+@\S+)")
DJANGOS = Path(django.__file__).parent / "conf" / "locale" / "en" / "LC_MESSAGES" / "django.po"


def write_pseudo_locales(folder: Path) -> None:
    """Below `folder`, as below locale/."""
    ours, djangos = extract(), read(DJANGOS)
    for language, (name, plurals) in FOLDERS.items():
        catalog = Catalog(locale=plurals, fuzzy=False)
        for message in [*djangos, *ours]:
            if message.id:
                _add(catalog, message, language)
        path = folder / name / "LC_MESSAGES" / "django.mo"
        path.parent.mkdir(parents=True)
        path.write_bytes(as_mo(catalog))


def _add(catalog: Catalog, message: Message, language: str) -> None:
    if isinstance(message.id, str):
        catalog.add(message.id, pseudo(message.id, language), context=message.context)
    else:
        forms = [pseudo(message.id[min(number, 1)], language) for number in range(catalog.num_plurals)]
        catalog.add(tuple(message.id), tuple(forms), context=message.context)


def pseudo(sentence: str, language: str) -> str:
    """White space at the ends and line ends stay, placeholders and markup too."""
    words = sentence.strip()
    parts = KEPT.split(words)
    parts[::2] = [part.translate(LETTERS[language]) for part in parts[::2]]
    letters = sum(map(str.isalpha, "".join(parts[::2])))
    longer = " éé" * round(letters * 0.4 / 3) if language == LONGER else ""
    return sentence.replace(words, f"⟦{''.join(parts)}{longer}⟧") if words else sentence


# Looking for what is not translated

SPOKEN = ("title", "aria-label", "alt", "placeholder")
# Words of staff and visitors, names, and what scripts write by the browser's own rules.
NOT_OURS = (
    '[dir="auto"], [translate="no"], bdi, code, script, style, noscript, .mark, #zone-name, .age, input, b, [hreflang]'
)


def find_untranslated(html: str) -> list[str]:
    document = BeautifulSoup(html, "html.parser")
    for element in document.select(NOT_OURS):
        element.clear()
    found = [outside_brackets("".join(_texts(document)))]
    for element in document.find_all(True):
        if isinstance(element, Tag):
            found += [
                outside_brackets(str(element[name])) for name in SPOKEN if element.get(name) and element.name != "link"
            ]
    return [words for words in found if any(map(str.isalpha, words))]


def _texts(document: BeautifulSoup) -> Iterator[str]:
    body = document.body or document
    for text in body.find_all(string=True):
        if isinstance(text, NavigableString) and not isinstance(text, PreformattedString):
            yield str(text)


def outside_brackets(text: str) -> str:
    """What stands in no ⟦brackets⟧, which can stand in each other."""
    depth, outside = 0, ""
    for character in text:
        if character == "⟧":
            depth -= 1
        elif character == "⟦":
            depth += 1
        elif depth == 0:
            outside += character
    assert depth == 0, text
    return " ".join(outside.split())
