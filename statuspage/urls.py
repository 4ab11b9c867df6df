"""Every address."""

from django.urls import include, path

from delivery.metrics import collect_deliveries
from public.metrics import collect_editions
from statuspage.metrics import Scrape, metrics_view

scrape = Scrape(collect_deliveries, collect_editions)
urlpatterns = [
    path("metrics", metrics_view(scrape), name="metrics"),
    path("", include("staff.urls")),
    path("", include("api.urls")),
    path("", include("delivery.urls")),
    path("", include("subscribers.urls")),
    path("", include("canary.urls")),
    path("", include("public.urls")),
]
handler404 = "public.views.not_found"
