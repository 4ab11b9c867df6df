"""The product's addresses and one more, which waits or burns CPU as long as it is told to."""

import time

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def report(request: HttpRequest, kind: str, seconds: int) -> HttpResponse:
    deadline = time.monotonic() + seconds
    count = 0
    while time.monotonic() < deadline:
        if kind == "wait":
            time.sleep(0.1)
        count += 1
    return HttpResponse(f"{count}\n")


urlpatterns = [path("bench/<slug:kind>/<int:seconds>", report), path("", include("statuspage.urls"))]
