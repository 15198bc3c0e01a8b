from tern_common.migrate import run_env
from tern_identity.tables import metadata

run_env(metadata, "identity")
