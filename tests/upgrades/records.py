"""A whole database as JSON, and back into an empty one that stands at the migrations of that time.

No database's own dump is used: the same file goes into PostgreSQL and into SQLite.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.apps import apps
from django.apps.registry import Apps
from django.core.management.color import no_style
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models, transaction
from django.db.migrations.executor import MigrationExecutor

OURS = ("pages", "components", "subscribers", "delivery", "incidents", "canary")
OTHERS = ("auth.User",)


def our_models(registry: Apps) -> list[type[models.Model]]:
    """Those whose rows an installation would miss, through tables too."""
    found = [
        model for model in registry.get_models(include_auto_created=True)
        if model._meta.app_label in OURS or model._meta.label in OTHERS
    ]  # fmt: skip
    return sorted(found, key=lambda model: model._meta.label)


def dump(path: Path) -> None:
    """Every row, and which migrations had been applied."""
    executor = MigrationExecutor(connection)
    rows = {
        model._meta.label: [
            {field.attname: _plain(field, row) for field in model._meta.concrete_fields}
            for row in model._base_manager.order_by("pk")
        ]
        for model in our_models(apps)
    }
    recorded = {"migrations": sorted(executor.loader.graph.leaf_nodes()), "rows": rows}
    path.write_text(json.dumps(recorded, cls=DjangoJSONEncoder, indent=0, ensure_ascii=False) + "\n")


def load(path: Path) -> None:
    """Migrate an empty database to where that file was written, and insert its rows."""
    recorded = json.loads(path.read_text())
    targets = [tuple(node) for node in recorded["migrations"]]
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    then: Apps = executor.loader.project_state(targets).apps  # type: ignore[assignment]
    known = {model._meta.label: model for model in our_models(then)}
    with transaction.atomic():
        for label, rows in recorded["rows"].items():
            known[label]._base_manager.bulk_create(_revive(known[label], row) for row in rows)
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(known.values())):
            cursor.execute(statement)


def _plain(field: Any, row: models.Model) -> Any:
    value = getattr(row, field.attname)
    if isinstance(value, (bytes, memoryview)):
        return field.value_to_string(row)
    return value if isinstance(value, (dict, list)) else field.get_prep_value(value) if value is not None else None


def _revive(model: type[models.Model], row: dict[str, Any]) -> models.Model:
    values = {}
    for name, value in row.items():
        field = model._meta.get_field(name.removesuffix("_id") if name not in _names(model) else name)
        values[name] = value if isinstance(value, (dict, list)) or value is None else field.to_python(value)
    return model(**values)


def _names(model: type[models.Model]) -> set[str]:
    return {field.name for field in model._meta.concrete_fields}
