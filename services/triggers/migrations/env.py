from tern_common.migrate import run_env
from tern_triggers.tables import metadata

run_env(metadata, "triggers")
