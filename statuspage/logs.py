"""Logging: one line per event, readable in a terminal or as JSON; clients of other services stay quiet.

Debug lines of HTTP and OAuth clients show headers and bodies, credentials included, so those loggers say
nothing below WARNING, whatever LOG_LEVEL is.
"""

import logging
import re
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

QUIET = (
    "tweepy",
    "oauthlib",
    "requests_oauthlib",
    "requests",
    "urllib3",
    "httpx",
    "httpcore",
    "amqp",
    "kombu",
    "celery.bootsteps",
    "celery.utils",
    "celery.worker.consumer",
    # A line for each tick and each task, every few seconds; failures are errors and still told.
    "celery.beat",
    "celery.worker.strategy",
    "celery.app.trace",
    "redis",
    "imapclient",
    "markdown_it",
    "asyncio",
    "axes.apps",
    "uvicorn",
)

# The signed part of a subscriber's link (subscribers/signing.py): Django logs the address of what it refused.
SIGNED = re.compile(r"\b([a-z0-9]{12})\.[0-9a-f]{13}\.[0-9a-f]{32}\b")
# The canary's way in for mail (canary/views.py): who knows it can say that mail arrives. Anything may be in it.
SECRET_PATH = re.compile(r"(/canary/mail/)\S+")


def hide_signatures(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Removes secrets from addresses: a reader of the logs must not be able to act for a subscriber or the canary."""
    event["event"] = SECRET_PATH.sub(r"\1…", SIGNED.sub(r"\1.…", str(event["event"])))
    return event


class ClientFaults(logging.Filter):
    """What a visitor's client got wrong is no fault of ours: no traceback, and no warning for an address that is
    not there. A wrong host, and whatever else looks like an attempt at something, stays a warning of one line."""

    def __init__(self, level: str) -> None:
        super().__init__()
        self.least = logging.getLevelNamesMapping()[level]

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "django.request" and 400 <= getattr(record, "status_code", 500) < 500:
            _tone_down(record, logging.DEBUG)
        elif record.name.startswith("django.security"):
            _tone_down(record, logging.WARNING)
        return record.levelno >= self.least


class OneLineForEachSignIn(logging.Filter):
    """django-axes also tells of its housekeeping; kept are who signed in or out, who failed, and who is locked out."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_news = record.levelno >= logging.WARNING or str(record.msg).startswith("AXES: Successful")
        return is_news or record.name.partition(".")[0] != "axes"


def _tone_down(record: logging.LogRecord, level: int) -> None:
    record.levelno, record.levelname = level, logging.getLevelName(level)
    record.exc_info = record.exc_text = None


SHARED: list[Any] = [
    hide_signatures,
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def logging_config(log_format: str, level: str) -> dict[str, Any]:
    """Django's LOGGING. `log_format` is "json" or "console"."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    rendering: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if log_format == "json":
        rendering += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        rendering += [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"()": structlog.stdlib.ProcessorFormatter, "foreign_pre_chain": SHARED, "processors": rendering}
        },
        "filters": {
            "client_faults": {"()": ClientFaults, "level": level},
            "sign_ins": {"()": OneLineForEachSignIn},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["client_faults", "sign_ins"]}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            **{name: {"level": "WARNING"} for name in QUIET},
            "django": {"level": level},
            "django.server": {"handlers": [], "propagate": True},
            "celery": {"level": "INFO" if level == "DEBUG" else level},
        },
    }
