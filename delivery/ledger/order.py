"""Which notice's rows leave first, where several have due rows on one channel.

Ranks come first (Delivery.Rank). Accounts and subscribers of one rank are served by notice, in this order:

two incidents, both partly sent          the incident that began last
two notices of one incident              as they were posted, so that nobody reads the end before the beginning
retries of an older incident             after what is due of the newer one, before its rows that wait for a retry
maintenance beside an outage             the outage, whichever began last
letters, of which each is its own notice in the order in which they were asked for

What is not due holds up nobody: a notice counts only while it has a row whose time has come.
"""

from typing import NamedTuple

from django.db import connection

from delivery.models import Delivery

# Of each notice with waiting rows the one that is due first. Each step jumps to the next notice in the index
# `delivery_due`, so a million rows of one notice cost as much as one. Written by hand, because the ORM takes longer than
# the database. Subqueries instead of joins: of a notice that is new to its statistics, PostgreSQL would read all rows.
_FIRST_ROWS = f"""
WITH RECURSIVE first_row (id) AS (
    SELECT (
        SELECT each.id FROM delivery_delivery each
        WHERE each.state = 'pending' AND each.channel = %(channel)s AND each.rank = served.column1
        ORDER BY each.notice_id, each.next_attempt_at LIMIT 1
    ) FROM (VALUES ({Delivery.Rank.ACCOUNT:d}), ({Delivery.Rank.SUBSCRIBER:d})) served
    UNION ALL
    SELECT (
        SELECT each.id FROM delivery_delivery each
        WHERE each.state = 'pending' AND each.channel = %(channel)s AND each.rank = before.rank
        AND each.notice_id > before.notice_id
        ORDER BY each.notice_id, each.next_attempt_at LIMIT 1
    ) FROM first_row JOIN delivery_delivery before ON before.id = first_row.id
)
SELECT rank, notice_id FROM (
    SELECT
        (SELECT each.rank FROM delivery_delivery each WHERE each.id = first_row.id) AS rank,
        (SELECT each.notice_id FROM delivery_delivery each WHERE each.id = first_row.id) AS notice_id,
        (SELECT each.next_attempt_at FROM delivery_delivery each WHERE each.id = first_row.id) AS due_at
    FROM first_row WHERE id IS NOT NULL
) found
"""  # noqa: S608 (the two numbers are ours)
_DUE_IN_ORDER = """
WHERE due_at <= {now} ORDER BY rank,
(SELECT notice.severity = 'maintenance' FROM delivery_notice notice WHERE notice.id = found.notice_id),
(
    SELECT MIN(of_incident.id) FROM delivery_notice of_incident
    WHERE of_incident.thread = (SELECT notice.thread FROM delivery_notice notice WHERE notice.id = found.notice_id)
) DESC, found.notice_id
"""
# The database's clock at the statement, in the form in which it keeps times.
_NOW = {"postgresql": "STATEMENT_TIMESTAMP()", "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')"}


class DueNotice(NamedTuple):
    rank: int
    notice_id: int


def due_notices(channel: str) -> list[DueNotice]:
    """Notices with due rows of accounts or subscribers, in the order in which these are to leave."""
    return _select(_FIRST_ROWS + _DUE_IN_ORDER.format(now=_NOW[connection.vendor]), channel)


def waiting_notices(channel: str) -> list[int]:
    """Notices of accounts or subscribers with rows that wait, due or not."""
    return [each.notice_id for each in _select(_FIRST_ROWS, channel)]


def _select(statement: str, channel: str) -> list[DueNotice]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"channel": channel})
        return [DueNotice(*row) for row in cursor.fetchall()]
