"""The staff's screens for data, one module for each app. Django's admin finds them here."""

from staff.admin import canary, components, delivery, incidents, pages, people, subscribers

__all__ = ["canary", "components", "delivery", "incidents", "pages", "people", "subscribers"]
