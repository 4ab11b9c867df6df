"""What visits to the pages of a subscription share: addresses, forms, and what a visit may have changed."""

from subscribers.models import Subscriber
from subscribers.signing import manage_token

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
FORM = {"email": "ann@example.com", "scope": "everything"}


def manage(subscriber: Subscriber) -> str:
    return "/subscriptions/" + manage_token(subscriber.code)


def state_of(subscriber: Subscriber) -> tuple[object, ...]:
    subscriber.refresh_from_db()
    chosen = tuple(subscriber.choices.values_list("component_id", flat=True))
    return subscriber.state, subscriber.confirmed_at, subscriber.unsubscribed_at, subscriber.links_since, chosen
