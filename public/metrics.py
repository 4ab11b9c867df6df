"""Metrics of pages, and of the documents that the answering process serves."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from pages.models import Page
from public.serving.edition import editions


def collect_editions() -> Iterator[Metric]:
    stored = GaugeMetricFamily(
        "statuspage_page_generation", "The generation of each page; every public change raises it.", labels=["page"]
    )
    served = GaugeMetricFamily(
        "statuspage_edition_generation",
        "The generation that the answering process serves; absent for pages that nobody has asked it for.",
        labels=["page"],
    )
    for pk, host, generation in Page.objects.order_by("host").values_list("pk", "host", "generation"):
        stored.add_metric([host], generation)
        version = editions.version(pk)
        if version is not None:
            served.add_metric([host], version[0])
    yield stored
    yield served
    yield GaugeMetricFamily(
        "statuspage_edition_age_seconds",
        "For how long the answering process could not ask the database for changes; 0 when all is well.",
        value=editions.host_index.age() or 0,
    )
