"""Searching the history: /history/search?component=<code>&q=<words>. Works without script, by a form that asks with GET.

What a stranger types becomes the address of a document, so the cache keeps only the last few of them (`most_kept`).
"""

from dataclasses import dataclass

from django.template.loader import render_to_string

from public.serving.edition import Param, Rendered, published
from public.shapes import PublicComponent, PublicIncident, Snapshot
from public.snapshot import find_incidents, load_page

MOST_FOUND = 50
MOST_KEPT = 20
MOST_CHOICES = 60
"""On a page with more components the form names none: the list would be longer than the page. Each component's own page
leads here."""
PARAMS = {"component": Param("[a-z0-9]{12}"), "q": Param(r"[^\x00-\x1f\x7f]{2,60}")}


@dataclass(frozen=True)
class SearchForm:
    words: str
    component: PublicComponent | None
    choices: list[PublicComponent]

    @property
    def is_empty(self) -> bool:
        return not self.words and self.component is None


def build_search_form(snapshot: Snapshot, code: str = "", words: str = "") -> SearchForm:
    """A code that no public component has is passed over."""
    chosen = next((each for each in snapshot.components if each.code == code), None)
    listed = [each for each in snapshot.components if each.is_listed or each is chosen]
    return SearchForm(words, chosen, listed if len(listed) <= MOST_CHOICES else [each for each in [chosen] if each])


@published(params=PARAMS)
def search(snapshot: Snapshot, component: str | None, q: str | None) -> Rendered:
    form = build_search_form(snapshot, component or "", (q or "").strip())
    found: list[PublicIncident] = []
    if not form.is_empty:
        code = form.component.code if form.component else ""
        found = find_incidents(load_page(snapshot), form.words, code, most=MOST_FOUND)
    context = {"page": snapshot.page, "snapshot": snapshot, "search": form, "found": found, "most": MOST_FOUND}
    return Rendered(render_to_string("public/search.html", context), most_kept=MOST_KEPT)
