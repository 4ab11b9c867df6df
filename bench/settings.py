"""The product's settings, with a staff report that is slow on purpose."""

from statuspage.settings import *  # noqa: F403

ROOT_URLCONF = "bench.urls"
