from tern_common.access.tables import metadata
from tern_common.migrate import run_env

run_env(metadata, "access")
