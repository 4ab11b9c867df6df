"""Error messages of commands, instead of a traceback, where the reason is known and an operator can act on it."""

from collections.abc import Sequence

from django.conf import settings
from django.db import Error, OperationalError, ProgrammingError

NO_TABLES = ("no such table", "no such column", "does not exist", "UndefinedTable", "UndefinedColumn")


def explain(error: Exception, argv: Sequence[str]) -> str:
    """One or two sentences; "" for an error that needs its traceback. --traceback always shows the traceback."""
    if "--traceback" in argv:
        return ""
    is_old = isinstance(error, ProgrammingError) or "no such" in str(error)
    if (
        isinstance(error, OperationalError | ProgrammingError)
        and is_old
        and any(words in str(error) for words in NO_TABLES)
    ):
        return f"The database is not as this version needs it: run “manage.py migrate” first. ({_first_line(error)})"
    if isinstance(error, OperationalError):
        return f"The database does not answer: is it running, and is DATABASE_URL right? ({_first_line(error)})"
    if isinstance(error, OSError) and "sendtestemail" in argv:
        if not settings.EMAIL_HOST or settings.MAIL_DIR:
            return "No mail server is set up: set EMAIL_URL, such as smtp://user:password@mail.example.com:587 (docs/settings.md)."
        return f"The mail server of EMAIL_URL cannot be reached: {_first_line(error)}"
    return ""


def _first_line(error: Exception | Error) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
