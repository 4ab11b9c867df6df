"""Logging: one line per event, readable in a terminal or as JSON; clients of other services stay quiet.

Debug lines of HTTP and OAuth clients show headers and bodies, credentials included, so those loggers say
nothing below WARNING, whatever LOG_LEVEL is.
"""

from typing import Any

import structlog

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

SHARED: list[Any] = [
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
