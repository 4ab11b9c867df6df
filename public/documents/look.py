"""The published documents of a page's look: its style sheet, its pictures, and the icon that shows its state."""

from django.conf import settings
from django.http import Http404

from core.style_sheet import write_style_sheet
from public.documents.icon import SHAPES, find_mark, mark_own_icon, product_icon
from public.documents.link_preview import draw_link_preview
from public.serving.edition import Rendered, published
from public.shapes import Snapshot
from public.snapshot import load_picture

PNG_TYPE = "image/png"
SVG_TYPE = "image/svg+xml"
# The address changes with the content, but during an upgrade an old process may answer a new address, so not immutable.
STYLE_HEADERS = {"Cache-Control": "public, max-age=3600, stale-while-revalidate=604800, stale-if-error=604800"}
# If a browser takes a picture for a document, the policy forbids it to load or run anything.
PICTURE_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@published
def style(snapshot: Snapshot) -> Rendered:
    return Rendered(write_style_sheet(snapshot.page.look.accent), "text/css; charset=utf-8", headers=STYLE_HEADERS)


@published(cors=True)
def picture(snapshot: Snapshot, digest: str) -> Rendered:
    content = load_picture(snapshot, digest)
    if content is None:
        raise Http404("There is no such picture.")
    return Rendered(content, PNG_TYPE, headers=PICTURE_HEADERS)


@published(cors=True)
def link_preview(snapshot: Snapshot) -> Rendered:
    return Rendered(draw_link_preview(snapshot), PNG_TYPE, headers=PICTURE_HEADERS | STYLE_HEADERS)


@published
def own_icon(snapshot: Snapshot, digest: str, state: str) -> Rendered:
    """The page's own icon with the mark of `state`. Of no other picture is there such a one."""
    status = next((each for each in SHAPES if each.slug == state), None)
    own = snapshot.page.look.icon
    content = load_picture(snapshot, digest) if own and own.digest == digest else None
    if status is None or content is None:
        raise Http404("There is no such icon.")
    return Rendered(mark_own_icon(content, status), PNG_TYPE, headers=PICTURE_HEADERS)


@published
def favicon(snapshot: Snapshot) -> Rendered:
    """For browsers that ask for /favicon.ico without having read a page."""
    own, marked = snapshot.page.look.icon, find_mark(snapshot)
    content = load_picture(snapshot, own.digest) if own else None
    if content is not None:
        return Rendered(mark_own_icon(content, marked) if marked else content, PNG_TYPE)
    return Rendered((settings.BASE_DIR / "static" / product_icon(marked)).read_bytes(), SVG_TYPE)
