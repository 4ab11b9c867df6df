"""What the look of a page consists of, published: its style sheet and its pictures."""

from django.http import Http404

from core.style_sheet import write_style_sheet
from public.serving.edition import Rendered, published
from public.shapes import Snapshot
from public.snapshot import load_picture

PNG_TYPE = "image/png"
# Its address changes with its content, but during an upgrade an old process may answer to a new address: so not for ever.
STYLE_HEADERS = {"Cache-Control": "public, max-age=3600, stale-while-revalidate=604800, stale-if-error=604800"}
# A picture is never anything else: should a browser take it for a document, that may do nothing.
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
