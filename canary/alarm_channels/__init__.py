"""Ways to wake somebody, one module each. They share nothing with the channels that the canary watches."""

from canary.alarm_channels.base import AlarmChannel, AlarmError, AlarmMessage
from canary.alarm_channels.mail import MailAlarm
from canary.alarm_channels.pagerduty import PagerDuty
from canary.alarm_channels.slack import Slack

__all__ = ["AlarmChannel", "AlarmError", "AlarmMessage", "configured"]
KINDS: tuple[type[AlarmChannel], ...] = (PagerDuty, Slack, MailAlarm)


def configured() -> list[AlarmChannel]:
    """Those that settings name, the one that wakes people first."""
    return [kind() for kind in KINDS if kind.is_configured()]
