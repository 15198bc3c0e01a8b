from tern_common.migrate import run_env
from tern_ingest.tables import metadata

run_env(metadata, "ingest")
