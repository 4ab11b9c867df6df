from django.apps import AppConfig


class CanaryConfig(AppConfig):
    name = "canary"

    def ready(self) -> None:
        from canary import checks  # noqa: F401  # registers them
        from canary.alarms import alarm_sentences
        from delivery.overview import more_warnings

        if alarm_sentences not in more_warnings:
            more_warnings.append(alarm_sentences)
