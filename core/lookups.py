"""`pk__any_of=ids`: like `__in`, but the whole list is one parameter, so that thousands of ids cost no parsing.

Pass a set or a dict for thousands of ids, because Django searches each item of a list for expressions.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Lookup
from django.db.models.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    AnyLookup = Lookup[Any]
else:
    AnyLookup = Lookup  # generic in its type stubs alone


@Field.register_lookup
class AnyOf(AnyLookup):
    """The list may be empty; its items are all numbers or all strings."""

    lookup_name = "any_of"
    prepare_rhs = False

    def __init__(self, lhs: Any, rhs: Iterable[Any]) -> None:
        super().__init__(lhs, list(rhs))

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """The SQL of SQLite."""
        left, params = self.process_lhs(compiler, connection)
        return f"{left} IN (SELECT value FROM json_each(%s))", (*params, json.dumps(self.rhs))  # noqa: S608 (the ORM's own SQL)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        left, params = self.process_lhs(compiler, connection)
        kind = self.lhs.output_field.db_type(connection)
        return f"{left} = ANY(%s::{kind}[])", (*params, _array(self.rhs))


def _array(values: list[Any]) -> str:
    """The text form of a PostgreSQL array. psycopg would convert it value by value in Python, which is slower."""
    if values and isinstance(values[0], str):
        values = ['"%s"' % value.replace("\\", r"\\").replace('"', r"\"") for value in values]  # noqa: UP031 (faster)
    return f"{{{','.join(map(str, values))}}}"
