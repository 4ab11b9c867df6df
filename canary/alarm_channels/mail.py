"""Mail to staff. Over a relay of its own (ALARM_EMAIL_URL) it arrives also when the ordinary one is what fails."""

import smtplib
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from canary.alarm_channels.base import SECONDS, AlarmChannel, AlarmError, AlarmMessage

BACKEND = "django.core.mail.backends.smtp.EmailBackend"


class MailAlarm(AlarmChannel):
    name = "Mail"

    @classmethod
    def is_configured(cls) -> bool:
        return bool(settings.ALARM_EMAILS)

    def tell(self, message: AlarmMessage) -> None:
        relay = settings.ALARM_SMTP or settings.SMTP
        if not relay:
            raise AlarmError("there is no mail server: set ALARM_EMAIL_URL or EMAIL_URL")
        lines = [message.text, "", f"Since {message.since:%Y-%m-%d %H:%M} UTC on {message.site}.", message.link]
        mail = EmailMessage(
            subject=" ".join(f"[{message.site}] {message.headline}".split())[:200],
            body="\n".join(lines).rstrip("\n"),
            from_email=settings.DEFAULT_FROM_EMAIL,
            to=settings.ALARM_EMAILS,
            headers={"Auto-Submitted": "auto-generated", "References": f"<alarm-{message.key}@statuspage>"},
            connection=_connect(relay),
        )
        try:
            mail.send()
        except (smtplib.SMTPException, OSError) as error:  # their words may repeat addresses
            raise AlarmError(f"the mail server did not take it ({type(error).__name__})") from error


def _connect(relay: dict[str, Any]) -> Any:
    return get_connection(
        BACKEND,
        host=relay["EMAIL_HOST"],
        port=relay["EMAIL_PORT"],
        username=relay["EMAIL_HOST_USER"],
        password=relay["EMAIL_HOST_PASSWORD"],
        use_tls=relay["EMAIL_USE_TLS"],
        use_ssl=relay["EMAIL_USE_SSL"],
        timeout=int(SECONDS),
    )
