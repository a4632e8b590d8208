"""Prefect flows over the graph that dvc.yaml defines."""

from pipeline import telemetry

telemetry.switch_off()  # on import, because Prefect reads the switch when it is imported
