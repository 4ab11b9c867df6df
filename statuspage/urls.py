"""Every address."""

from django.urls import include, path, re_path

from core.languages import prefixed_languages
from delivery.metrics import collect_deliveries
from public.document_urls import in_every_language
from public.metrics import collect_editions
from public.urls import for_people
from statuspage.look_preview import preview_look
from statuspage.metrics import Scrape, metrics_view
from subscribers.urls import linked_in_mails

scrape = Scrape(collect_deliveries, collect_editions)
urlpatterns = [
    # The same pages in other languages, before those without a prefix: the last of a name is the one that is linked to.
    *(
        path(f"{code}/", include([*for_people, *in_every_language, path("", include("subscribers.urls"))]))
        for code in prefixed_languages()
    ),
    # In mails of a language that is served no more: a link to leave works for ever, then in the page's own language.
    re_path("^[a-z]{2,3}(?:-[a-z]+)*/", include(linked_in_mails)),
    path("metrics", metrics_view(scrape), name="metrics"),
    path("staff/page/look/preview/", preview_look, name="look-preview"),
    path("", include("staff.urls")),
    path("", include("api.urls")),
    path("", include("delivery.urls")),
    path("", include("subscribers.urls")),
    path("", include("canary.urls")),
    path("", include("public.urls")),
]
handler400 = "public.views.bad_request"
handler403 = "public.views.forbidden"
handler404 = "public.views.not_found"
handler500 = "public.views.server_error"
