"""Every address. Staff screens of an app stand before the admin's own, which catches all of /admin/."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("incidents.urls")),
    path("", include("delivery.urls")),
    path("admin/", admin.site.urls),
    path("", include("subscribers.urls")),
    path("", include("canary.urls")),
    path("", include("public.urls")),
]
handler404 = "public.views.not_found"
