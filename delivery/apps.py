from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "delivery"

    def ready(self) -> None:
        from delivery.ledger.forgetting import blank_address
        from delivery.ledger.single_recipient import queue_letter
        from delivery.mail.bounces import checks  # noqa: F401 (registers itself)
        from subscribers.forgetting import address_forgotten
        from subscribers.subscribing import letter_wanted

        address_forgotten.connect(blank_address, dispatch_uid="delivery.blank_address")
        letter_wanted.connect(queue_letter, dispatch_uid="delivery.queue_letter")
