"""Sends a Celery task after the transaction has committed. A failure to send is logged and never raised.

The database is the queue (docs/architecture.md), and a task only wakes a worker. A lost task costs some seconds, until the
sweep finds what is due. So an update that is stored must succeed although the broker is down.
"""

import logging
from typing import Any

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)

# Short time limits, because a person waits while this runs. With a worker's limits a broker that hangs would cost 20 s: two
# connections of 5 s, each tried twice. A new connection for each task costs some milliseconds.
PROMPTLY = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry_on_timeout": False, "max_retries": 0}


def wake_on_commit(task: str, *args: Any, using: str = "default") -> None:
    """Send the task named `task` after commit. Errors are logged, not raised."""
    transaction.on_commit(lambda: wake_worker(task, *args), using=using, robust=True)


def wake_worker(task: str, *args: Any) -> bool:
    """Send the task named `task`. True when the broker accepted it; otherwise False, and the error is logged."""
    try:
        with current_app.connection_for_write(transport_options=PROMPTLY) as connection:
            current_app.send_task(task, args=args, connection=connection, retry=False, ignore_result=True)
    except Exception as error:  # the broker's client may raise anything, and the caller's data is committed
        log.warning(
            "no worker was woken because the broker does not answer; the sweep will find the work: task=%s error=%s",
            task,
            type(error).__name__,
        )
        return False
    return True
