"""Health checks for monitors and load balancers: the process lives, it can serve, every part behind it answers."""

from celery import current_app
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.expiring import ExpiringValue
from pages.models import Page
from public.serving.edition import editions

BROKER_SECONDS = 2
KEPT_SECONDS = 2  # anybody may ask, and each check opens connections


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers. It checks nothing else, so that nobody restarts it because of another part's fault."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Public pages can be served, from memory too: a database that is down does not change the answer."""
    ready = editions.is_ready()
    return HttpResponse(
        "ok\n" if ready else "no page read yet\n", status=200 if ready else 503, content_type="text/plain"
    )


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Each part that the product needs: "ok" or "down"; 503 when one is down. Up to two seconds old."""
    parts = health.get()
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


def check_parts() -> dict[str, bool]:
    return {"database": _database_answers(), "broker": _broker_answers()}


health = ExpiringValue(check_parts, KEPT_SECONDS)
