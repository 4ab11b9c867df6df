"""Every public address. Documents for programs (JSON, feeds, calendar, badge, banner): document_urls.py."""

from django.urls import include, path, re_path

from public import views

urlpatterns = [
    path("", views.home, name="home"),
    path("fragments/summary", views.summary, name="summary"),
    path("", include("public.document_urls")),
    # Some clients ask for //api/v2/…; kept last, so that it costs the others nothing.
    re_path(r"^/+(?P<path>.+)$", views.one_slash),
]
