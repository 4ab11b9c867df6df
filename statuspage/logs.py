"""Logging: one line per event, readable in a terminal or as JSON; clients of other services stay quiet.

Debug lines of HTTP and OAuth clients show headers and bodies, credentials included, so those loggers say
nothing below WARNING, whatever LOG_LEVEL is.
"""

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
    "markdown_it",
    "asyncio",
    "axes.apps",
    "uvicorn",
)

# The signed part of a subscriber's link (subscribers/signing.py): Django logs the address of what it refused.
SIGNED = re.compile(r"\b([a-z0-9]{12})\.[0-9a-f]{13}\.[0-9a-f]{32}\b")


def hide_signatures(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Who reads the logs must not be able to act for a subscriber."""
    event["event"] = SIGNED.sub(r"\1.…", str(event["event"]))
    return event


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
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            **{name: {"level": "WARNING"} for name in QUIET},
            "django": {"level": level},
            "django.server": {"handlers": [], "propagate": True},
            "celery": {"level": "INFO" if level == "DEBUG" else level},
        },
    }
