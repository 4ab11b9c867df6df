"""What monitors and load balancers ask: does the process live, can it serve, is everything behind it well?"""

import threading
from collections.abc import Callable
from time import monotonic

from celery import current_app
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pages.models import Page
from public.serving.edition import editions

BROKER_SECONDS = 2
KEPT_SECONDS = 2


class HealthFinding:
    """What a look at all parts found, for KEPT_SECONDS: anybody may ask, and each look costs connections.

    Whoever asks while one looks waits for that look instead of starting another.
    """

    def __init__(self, look: Callable[[], dict[str, bool]]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._parts: dict[str, bool] = {}
        self._stale_at = 0.0

    def read(self) -> dict[str, bool]:
        with self._lock:
            if monotonic() >= self._stale_at:
                self._parts = self._look()
                self._stale_at = monotonic() + KEPT_SECONDS
            return self._parts

    def forget(self) -> None:
        self._stale_at = 0.0


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers. Nothing else is looked at, so that a restart never follows from another part's fault."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Public pages can be served: from memory too, so a database that is down does not take them away."""
    ready = editions.is_ready()
    return HttpResponse(
        "ok\n" if ready else "no page read yet\n", status=200 if ready else 503, content_type="text/plain"
    )


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Each part that the product needs: "ok" or "down"; 503 when one is down. Up to two seconds old."""
    parts = finding.read()
    words = {name: "ok" if answers else "down" for name, answers in parts.items()}
    return JsonResponse(words, status=200 if all(parts.values()) else 503)


def _database_answers() -> bool:
    try:
        Page.objects.exists()
    except DatabaseError:
        return False
    return True


def _broker_answers() -> bool:
    try:
        with current_app.connection_for_write(connect_timeout=BROKER_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, timeout=BROKER_SECONDS, interval_start=0)
    except Exception:  # each broker's client has errors of its own, and all of them mean the same here
        return False
    return True


def _look_at_parts() -> dict[str, bool]:
    return {"database": _database_answers(), "broker": _broker_answers()}


finding = HealthFinding(_look_at_parts)
