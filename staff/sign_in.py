"""How often staff may guess passwords: what settings.py hands to django-axes, and what it need not keep."""

from datetime import datetime, timedelta
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest

FAILURES_PER_ADDRESS = 30
LOG_KEPT_DAYS = 90
NAME_AND_ADDRESS = ["username", "ip_address"]
ADDRESS = ["ip_address"]


def lockout_parameters(request: HttpRequest, credentials: dict[str, Any] | None = None) -> list[list[str]]:
    """Whose failures django-axes counts against AXES_FAILURE_LIMIT: those of the name at this address; those of
    the whole address once there are FAILURES_PER_ADDRESS, for then somebody tries name after name."""
    recent = AccessAttempt.objects.filter(
        ip_address=request.axes_ip_address,  # type: ignore[attr-defined]  # set by axes
        attempt_time__gte=request.axes_attempt_time - settings.AXES_COOLOFF_TIME,  # type: ignore[attr-defined]
    )
    failures = recent.aggregate(sum=Sum("failures_since_start"))["sum"] or 0
    return [ADDRESS] if failures >= FAILURES_PER_ADDRESS else [NAME_AND_ADDRESS]


def prune_attempts(now: datetime) -> None:
    """Delete failures that no longer count, and old notes of who signed in from where."""
    cool_off: timedelta = settings.AXES_COOLOFF_TIME
    AccessAttempt.objects.filter(attempt_time__lt=now - cool_off).delete()
    AxesProxyHandler.reset_logs(age_days=LOG_KEPT_DAYS)
