"""Alembic without its command line: a service's migrations, run over a connection that already speaks as its role."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

from alembic import command, context
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, text

from tern_common.errors import Misconfigured
from tern_common.migrate.roles import ACCESS
from tern_common.shipped import shipped, shipped_or_none

_PREFIX = "tern_"


def discovered() -> list[str]:
    """Every installed service that ships migrations, and `access`, which all of them need."""
    packages = sorted(m.name for m in pkgutil.iter_modules() if m.ispkg and m.name.startswith(_PREFIX))
    return [ACCESS, *(name.removeprefix(_PREFIX) for name in packages if _has_migrations(name))]


def _has_migrations(package: str) -> bool:
    folder = shipped_or_none(package, "migrations")
    return folder is not None and any((folder / "versions").glob("*.py"))


def package_of(service: str) -> str:
    """Where a service's tables and migrations are."""
    return "tern_common.access" if service == ACCESS else _PREFIX + service


def tables_of(service: str) -> MetaData:
    """What a service declares. Raises `Misconfigured` for a service that is not installed."""
    try:
        metadata = import_module(f"{package_of(service)}.tables").metadata
    except ModuleNotFoundError as wrong:
        raise Misconfigured(f"service {service!r} declares no tables: {wrong}") from None
    assert isinstance(metadata, MetaData)
    return metadata


def upgrade(connection: Connection, service: str) -> tuple[str | None, str | None]:
    """Runs every migration that is missing, each in a transaction of its own. The revisions before and after."""
    before = _revision(connection, service)
    command.upgrade(_config(service, connection), "head")
    return before, _revision(connection, service)


def _revision(connection: Connection, service: str) -> str | None:
    found = MigrationContext.configure(connection, opts=_options(connection, service)).get_current_revision()
    connection.commit()
    return found


def compared(connection: Connection, service: str) -> list[str]:
    """How the schema differs from the declared tables; empty when it does not."""
    metadata = tables_of(service)
    options = {**_options(connection, service), "target_metadata": metadata}
    found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return [str(difference) for difference in found]


def new_revision(connection: Connection, service: str, message: str) -> None:
    """Writes the next migration, filled with what Alembic finds different. To be read before it is committed."""
    config = _config(service, connection)
    versions = Path(str(config.get_main_option("script_location"))) / "versions"
    versions.mkdir(exist_ok=True)
    number = len(list(versions.glob("*.py"))) + 1
    command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")


def run_env(metadata: MetaData, schema: str) -> None:
    """All that a service's `migrations/env.py` says."""
    connection = context.config.attributes.get("connection")
    if connection is None:
        raise Misconfigured("run migrations by `python -m tern_common.migrate`, not by alembic itself")
    context.configure(connection=connection, target_metadata=metadata, **_options(connection, schema))
    with context.begin_transaction():
        context.run_migrations()


def _config(service: str, connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(shipped(package_of(service), "migrations")))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


def _options(connection: Connection, schema: str) -> dict[str, Any]:
    partitions = _partitions(connection, schema)

    def ours(name: str | None, kind: str, _: Any) -> bool:
        return name == schema if kind == "schema" else not (kind == "table" and name in partitions)

    return {
        "version_table": "schema_version",
        "version_table_schema": schema,
        "include_schemas": True,
        "include_name": ours,
        "compare_server_default": True,
        "transaction_per_migration": True,
    }


def _partitions(connection: Connection, schema: str) -> frozenset[str]:
    """Partitions are made by migrations and declared by nobody: their table stands for them."""
    query = text("SELECT relname FROM pg_class WHERE relispartition AND relnamespace = to_regnamespace(:schema)")
    with connection.begin_nested() if connection.in_transaction() else connection.begin():
        return frozenset(connection.execute(query, {"schema": schema}).scalars())
