"""Brings the database to what the code declares: roles, schemas, then each service's Alembic migrations as its role.

`python -m tern_common.migrate all` is run before the services start, and may be run by several at once. Knows no
service: what it migrates is every installed package `tern_<name>` that ships migrations, and schema `access`.
"""

from tern_common.migrate.roles import role_of, service_url
from tern_common.migrate.run import differences, migrate
from tern_common.migrate.schema import discovered, new_revision, run_env

__all__ = ["differences", "discovered", "migrate", "new_revision", "role_of", "run_env", "service_url"]
