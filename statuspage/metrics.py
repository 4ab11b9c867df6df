"""/metrics, in Prometheus' text format.

Everything is read from the database when it is asked for, so that a number never depends on which process answers, or
on a worker that has died since. The one exception says so: the edition of the process that answers.
"""

from collections.abc import Callable, Iterable, Iterator
from time import monotonic

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from core.expiring import ExpiringValue
from pages.rights import View, for_monitoring

Source = Callable[[], Iterable[Metric]]
KEPT_SECONDS = 2.0


class Scrape(Collector):
    """The numbers of all sources as text. All requests within KEPT_SECONDS get the same text, or the same error."""

    def __init__(self, *sources: Source, clock: Callable[[], float] = monotonic) -> None:
        self._sources = sources
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._text = ExpiringValue(self.generate, KEPT_SECONDS, clock)

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            yield from source()

    def generate(self) -> bytes:
        """Collects the numbers now. Raises django.db.Error when the database does not answer."""
        return generate_latest(self._registry)

    def read(self) -> bytes:
        """Raises django.db.Error when the database does not answer, to everybody within KEPT_SECONDS."""
        return self._text.get()


def metrics_view(scrape: Scrape) -> View:
    @require_safe
    @for_monitoring
    def metrics(request: HttpRequest) -> HttpResponse:
        return HttpResponse(scrape.read(), content_type=CONTENT_TYPE_PLAIN_0_0_4)

    return metrics
