"""Sends a Celery task once the transaction has committed, and never lets that fail the caller.

The database is the queue (docs/architecture.md); a task only wakes a worker. A task that is lost costs some seconds, because
the sweep finds whatever is due. So a broker that is down must never turn a stored update into an error.
"""

import logging
from typing import Any

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)

# A person waits while this runs. With the time limits of a worker, a broker that hangs costs 20 s: 5 s, on two
# connections, each tried twice. A new connection for each task costs some milliseconds.
PROMPTLY = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry_on_timeout": False, "max_retries": 0}


def wake_on_commit(task: str, *args: Any, using: str = "default") -> None:
    """Send the task named `task` after commit. Errors are logged, not raised."""
    transaction.on_commit(lambda: wake_worker(task, *args), using=using, robust=True)


def wake_worker(task: str, *args: Any) -> bool:
    """True when the broker took the message; False, and a log line, when it did not."""
    try:
        with current_app.connection_for_write(transport_options=PROMPTLY) as connection:
            current_app.send_task(task, args=args, connection=connection, retry=False, ignore_result=True)
    except Exception as error:  # whatever the broker's client raises, the caller's work is already safe
        log.warning("no worker was woken, the sweep will find the work: task=%s error=%s", task, type(error).__name__)
        return False
    return True
