"""The order in which due rows of several notices leave on one channel.

Rows are ordered by rank first (Delivery.Rank). Within the ranks of accounts and subscribers the notices follow in this
order:

two incidents, both partly sent           the incident that began later goes first
two notices of one incident               in the order of posting, so that nobody reads the end before the beginning
retries of an older incident              after the due rows of the newer one, before its rows that are not due yet
maintenance and an outage                 the outage goes first, whichever began later
letters, each of which is its own notice  in the order in which they were requested

Rows that are not due delay nobody: a notice takes part only while it has a due row.
"""

from typing import NamedTuple

from django.db import connection

from delivery.models import Delivery

# For each notice with pending rows, the row that is due first. Each step jumps to the next notice in the index
# `delivery_due`, so a million rows of one notice cost as much as one. Written in SQL, because the ORM would take longer
# than the database. Subqueries instead of joins: while PostgreSQL has no statistics about a new notice, a join would read
# all of its rows.
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
# The database's time at the start of the statement, in the form in which it stores times.
_NOW = {"postgresql": "STATEMENT_TIMESTAMP()", "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')"}


class DueNotice(NamedTuple):
    rank: int
    notice_id: int


def due_notices(channel: str) -> list[DueNotice]:
    """Notices with due rows of accounts or subscribers, in the order in which they must be sent."""
    return _select(_FIRST_ROWS + _DUE_IN_ORDER.format(now=_NOW[connection.vendor]), channel)


def waiting_notices(channel: str) -> list[int]:
    """Notices with pending rows of accounts or subscribers, due or not."""
    return [each.notice_id for each in _select(_FIRST_ROWS, channel)]


def _select(statement: str, channel: str) -> list[DueNotice]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"channel": channel})
        return [DueNotice(*row) for row in cursor.fetchall()]
