"""Slack's incoming webhooks: one text to the channel that the address stands for.

Answers: 200 with the body “ok”, or 4xx with a word such as no_service (api.slack.com/messaging/webhooks).
"""

from django.conf import settings

from canary.alarm_channels.base import AlarmChannel, AlarmError, AlarmMessage, post_json

SIGN = {True: ":white_check_mark:", False: ":rotating_light:"}


class Slack(AlarmChannel):
    name = "Slack"

    @classmethod
    def is_configured(cls) -> bool:
        return bool(settings.ALARM_SLACK_URL)

    def tell(self, message: AlarmMessage) -> None:
        _, *more = message.text.splitlines()
        since = " ".join(filter(None, (f"{escape(message.site)}, since {_time(message)}", escape(message.link))))
        lines = [f"*{escape(message.headline)}*", *map(escape, more), since]
        answer = post_json(settings.ALARM_SLACK_URL, {"text": f"{SIGN[message.is_clear]} " + "\n".join(lines)})
        if answer.status != 200 or answer.body.strip() != b"ok":
            raise AlarmError(f"it answered {answer.status} {answer.words}".strip())


def escape(text: str) -> str:
    """The three characters that mean something to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(message: AlarmMessage) -> str:
    return f"{message.since:%Y-%m-%d %H:%M} UTC"
