"""Prefect flows over the graph that dvc.yaml defines."""

import os

from pipeline import telemetry

# On import, because Prefect reads its settings when it is imported.
telemetry.switch_off()
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # a busy machine
