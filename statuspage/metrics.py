"""/metrics: what monitoring reads, in Prometheus' text format.

Everything is read from the database when it is asked for, so that a number never depends on which process answers, or
on a worker that has died since. The one exception says so: the edition of the process that answers.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from time import monotonic

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from pages.rights import View, for_monitoring

Source = Callable[[], Iterable[Metric]]
KEPT_SECONDS = 2.0


class Scrape(Collector):
    """The sources' numbers as text, for KEPT_SECONDS. Who asks while they are read waits for the same text."""

    def __init__(self, *sources: Source) -> None:
        self._sources = sources
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._lock = threading.Lock()
        self._stale_at = 0.0
        self._text: bytes | None = None

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            yield from source()

    def read(self) -> bytes:
        """Raises django.db.Error when the database does not answer, to everybody within KEPT_SECONDS."""
        with self._lock:
            if monotonic() >= self._stale_at:
                self._text = None
                try:
                    self._text = generate_latest(self._registry)
                finally:
                    self._stale_at = monotonic() + KEPT_SECONDS
            if self._text is None:
                raise DatabaseError("the database did not answer a moment ago")
            return self._text

    def forget(self) -> None:
        self._stale_at = 0.0


def metrics_view(scrape: Scrape) -> View:
    @require_safe
    @for_monitoring
    def metrics(request: HttpRequest) -> HttpResponse:
        return HttpResponse(scrape.read(), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return metrics
