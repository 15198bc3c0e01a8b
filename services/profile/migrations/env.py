from tern_common.migrate import run_env
from tern_profile.tables import metadata

run_env(metadata, "profile")
