"""Emptying the database after a test that has committed.

Django's own way empties every table and has every app write its permissions and content types anew, which takes longer
than most of these tests. Here tables that have rows are emptied, and what migrating has written stays, unless the test
has changed it: then it is Django's way.
"""

from collections.abc import Callable
from typing import Any

from django.core.management.color import no_style
from django.db import connection
from django.test import TransactionTestCase

# What migrating fills, and refers to nothing else.
LASTING = ("django_content_type", "auth_permission", "auth_group", "auth_group_permissions")
Rows = dict[str, list[tuple[Any, ...]]]


class Emptying:
    """Takes the place of the method by which Django's test cases empty the database."""

    def __init__(self, whole: Callable[[TransactionTestCase], None]) -> None:
        self._whole = whole
        self._right: dict[str, Rows] = {}
        """By database, the rows that Django's way leaves in the lasting tables."""

    def after(self, case: TransactionTestCase) -> None:
        name = str(connection.settings_dict["NAME"])
        if name in self._right and self._right[name] == lasting_rows():
            empty_tables()
            return
        self._whole(case)
        self._right[name] = lasting_rows()


def lasting_rows() -> Rows:
    rows = {}
    with connection.cursor() as cursor:
        for table in LASTING:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")
            rows[table] = cursor.fetchall()
    return rows


def empty_tables() -> None:
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
    others = sorted(tables - {*LASTING, "django_migrations"})
    filled = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in others)
    with connection.cursor() as cursor:
        cursor.execute(filled)
        found = [table for (table,) in cursor.fetchall()]
    if found:
        sql = connection.ops.sql_flush(no_style(), found, allow_cascade=connection.vendor == "postgresql")
        connection.ops.execute_sql_flush(sql)
