"""Alembic's entry: everything is in tern_common.migrate."""

from tern_common.migrate import run_env

from tern_profile.tables import SCHEMA, metadata

run_env(metadata, SCHEMA)
