"""Template tags about languages; every template has them without {% load %}."""

from django import template
from django.conf import settings
from django.utils import translation
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from core import languages
from core.sub_path import sub_path

register = template.Library()
register.simple_tag(languages.href, name="local")


@register.simple_tag
def language_attributes() -> SafeString:
    """The attributes of <html>: `lang`, and `dir` for a language that is read from the right."""
    named = format_html('lang="{}"', languages.active_language())
    return named + format_html(' dir="{}"', "rtl") if translation.get_language_bidi() else named


@register.simple_block_tag
def page_addresses(content: str, url: str) -> SafeString:
    """The <link>s with a page's address in this language and in the others. `content`: its path below `url`."""
    path = content.strip()
    links = format_html('<link rel="canonical" href="{}{}{}">', url, languages.local(""), path)
    if not languages.prefixed_languages():
        return links
    others = ((code, url, languages.prefix_of(code), path) for code, _ in settings.LANGUAGES)
    return links + format_html_join("", '\n<link rel="alternate" hreflang="{}" href="{}{}{}">', others)


@register.simple_tag
def other_languages() -> list[dict[str, str]]:
    """The other languages of this page: `code`, `name` in the language itself, and `home`, the address of the front page."""
    active = languages.active_language()
    return [
        {"code": code, "name": str(name), "home": f"{sub_path()}{languages.prefix_of(code)}/"}
        for code, name in settings.LANGUAGES
        if code != active
    ]
