"""The catalogues in locale/ and the check of templates, as `make lint` runs them (catalogue/)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.mofile import read_mo

from catalogue.extraction import list_templates
from catalogue.files import find_mistakes, find_stale, read, update
from catalogue.unmarked import find_unmarked, read_unmarked
from catalogue.unmarked_code import find_unmarked_code, read_unmarked_code

pytestmark = pytest.mark.once
PAGE = """{% extends "base.html" %}{% load i18n %}
{% block title %}{% translate "Not found" %}{% endblock %}
{% block content %}<p>{% blocktranslate count days=n trimmed %}
  {{ days }} day with <b>trouble</b>{% plural %}{{ days }} days with <b>trouble</b>
{% endblocktranslate %}</p>
  <a href="/">{% translate "Now" context "the present" %}</a>
 {% endblock %}"""
CODE = """
def words():
    # Translators: said of a page.
    return gettext("All is well"), ngettext("%(count)d more", "%(count)d more", 2)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "templates" / "public").mkdir(parents=True)
    (tmp_path / "templates" / "public" / "page.html").write_text(PAGE)
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "words.py").write_text(CODE)
    update(tmp_path / "locale", tmp_path)
    return tmp_path


def add_german(project: Path, **translations: str) -> Path:
    """`translations`: by sentence, its spaces written as “_”."""
    path = project / "locale" / "de" / "LC_MESSAGES" / "django.po"
    path.parent.mkdir(parents=True)
    path.write_text('msgid ""\nmsgstr ""\n"Language: de\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n')
    with path.open("a") as file:
        for sentence, words in translations.items():
            file.write(f'msgid "{sentence.replace("_", " ")}"\nmsgstr "{words}"\n\n')
    return path


def test_the_source_holds_every_marked_sentence_of_templates_and_code(project: Path) -> None:
    source = read(project / "locale" / "en" / "LC_MESSAGES" / "django.po")
    day = "%(days)s day with <b>trouble</b>", "%(days)s days with <b>trouble</b>"
    assert {message.id for message in source if message.id} == {
        "Not found", "Now", "All is well", day, ("%(count)d more", "%(count)d more"),
    }  # fmt: skip
    assert source.get("Now", "the present")
    assert source["All is well"].auto_comments == ["Translators: said of a page."]
    assert source["All is well"].locations == [("public/words.py", None)]
    assert "python-format" in source[day].flags
    assert list(find_stale(project / "locale", project)) == []


def test_a_sentence_that_was_changed_makes_its_catalogue_stale(project: Path) -> None:
    (project / "public" / "words.py").write_text(CODE.replace("All is", "Everything is"))
    assert [problem.split()[0] for problem in find_stale(project / "locale", project)] == [
        "locale/en/LC_MESSAGES/django.po"
    ]


def test_another_language_is_brought_up_to_the_source_and_compiled(project: Path) -> None:
    path = add_german(project, Not_found="Nicht gefunden", Gone="Weg")
    assert len(list(find_stale(project / "locale", project))) == 2
    update(project / "locale", project)
    assert list(find_stale(project / "locale", project)) == []
    german = read(path)
    assert german["Not found"].string == "Nicht gefunden"
    assert "Gone" not in german
    assert "All is well" in german
    with path.with_suffix(".mo").open("rb") as file:
        compiled = read_mo(file)
    assert compiled["Not found"].string == "Nicht gefunden"
    assert "All is well" not in compiled  # read in English until it is translated


def test_a_compiled_catalogue_that_lags_behind_is_stale(project: Path) -> None:
    path = add_german(project, Not_found="Nicht gefunden")
    update(project / "locale", project)
    path.write_text(path.read_text().replace("Nicht gefunden", "Nicht da"))
    assert [problem.split()[0] for problem in find_stale(project / "locale", project)] == [
        "locale/de/LC_MESSAGES/django.mo"
    ]


def test_a_placeholder_that_the_sentence_lacks_is_a_mistake(project: Path) -> None:
    path = add_german(project)
    update(project / "locale", project)
    path.write_text(path.read_text().replace('msgstr[0] ""', 'msgstr[0] "%(anzahl)d mehr"'))
    assert any("django.po: “" in problem for problem in find_mistakes(project / "locale", project))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ("<p>\n{% if x %}No\n incidents{% endif %}</p>", ["No", "incidents"]),
        ('<a title="More" aria-label="{% translate "x" %}" class="wide" href="/x">·</a>', ["More"]),
        ('<img alt="A cat"><input placeholder="Name" value="{{ name }}">', ["A cat", "Name"]),
        ('<meta name="description" content="A page"><meta name="viewport" content="width=1">', ["A page"]),
        ("<p>{{ time }} UTC</p>", []),
        ("<p>{{ count }} of {{ all }}</p>", ["… of …"]),
        ("{% translate 'Hello' %} {% blocktranslate %}Dear {{ name }}{% endblocktranslate %}", []),
        ("{% comment %}Not shown{% endcomment %}{# nor this #}<style>p { color: red }</style>", []),
        ("<script>words()</script><p>{{ count }} %: 12 &times; 3 &amp; more</p>", ["…%: 12 × 3 & more"]),
        ('<{{ heading|default:"h3" }} class="date">{{ date }}</{{ heading|default:"h3" }}>', []),
        ("{% block bodyclass %}{{ block.super }} wide{% endblock %}<p>Wide</p>", ["Wide"]),
        ('{% block path %}/history/{{ month|date:"Y-m" }}{% endblock %}', []),
    ],
)
def test_what_people_read_must_be_marked(source: str, found: list[str]) -> None:
    assert [words.replace(" %", "%") for _, words in read_unmarked(source)] == found


def test_an_unmarked_sentence_is_told_with_file_and_line(project: Path) -> None:
    (project / "templates" / "public" / "new.html").write_text("{% if x %}\n\n<p>Not <b>marked</b></p>{% endif %}")
    (project / "templates" / "letter.txt").write_text("{% translate 'Dear' %} {{ name }},\nhello\n")
    assert list(find_unmarked(project)) == [
        "templates/letter.txt:2: not marked for translation: “hello”",
        "templates/public/new.html:3: not marked for translation: “Not”",
        "templates/public/new.html:3: not marked for translation: “marked”",
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('name = CharField(label="Its name", help_text=_("Shown to all"))', ["Its name"]),
        ('class Meta:\n    verbose_name = "status page"', ["status page"]),
        ('field.help_text = "Stored already."', ["Stored already."]),
        ('raise ValidationError({"at": "Not in the future."}, code="too late")', ["Not in the future."]),
        ('raise ValidationError(f"Shorten it to {limit}.")', ["Shorten it to …."]),
        ('form.add_error("at", "Too late." if late else _("Too early."))', ["Too late."]),
        ('messages.success(request, "Post" "ed it. " + more)', ["Posted it. "]),
        ('messages.error(request, _("%(n)d failed.") % {"n": "a b"})', []),
        ('raise ValueError("not a number")\nlog.error("gone for good")', []),
        ('self.stdout.write("Sent it.")\nparser.add_argument("--x", help="The x of it")', []),
        ('button(label=f"{label[:3]}…", kind="a b")', []),
        ('name = CharField(label="Name")\nclass Mastodon(Channel):\n    label = "Mastodon"', ["Name"]),
        ('class Email(Channel):\n    label = "E-mail"', ["E-mail"]),
        ('class State(models.TextChoices):\n    OPEN = "open", "Open"\n    SHUT = "shut", _("Shut")', ["Open"]),
        ('render(request, "a.html", {"title": "Now", "kind": "one", **more})', ["Now"]),
        ('attrs["aria-label"] = f"{field} of {row}"', ["… of …"]),
        ('form.add_error("at", ValidationError("gone"))', []),
    ],
)
def test_what_code_shows_to_people_must_be_marked(source: str, found: list[str]) -> None:
    assert [words for _, words in read_unmarked_code(source)] == found


def test_an_unmarked_sentence_of_code_is_told_with_file_and_line(project: Path) -> None:
    (project / "staff").mkdir(exist_ok=True)
    (project / "staff" / "views.py").write_text('\nmessages.info(request, "It is gone.")\n')
    told = "staff/views.py:2: not marked for translation: “It is gone.”"
    assert list(find_unmarked_code(project)) == [told]
    assert list(find_unmarked_code(project, left_out=("staff/",))) == []


def test_sentences_name_their_variables_without_dots():
    """Django leaves {{ a.b }} empty within a sentence, and says nothing."""
    dotted = [
        f"{path}: {variable}"
        for path in list_templates()
        for sentence in re.findall(r"{% blocktranslate\b.*?%}(.*?){% endblocktranslate", path.read_text(), re.DOTALL)
        for variable in re.findall(r"{{\s*(.*?)\s*}}", sentence)
        if not variable.isidentifier()
    ]
    assert dotted == []
