"""Switches that keep libraries from sending usage data."""

import os

OFF = {
    "DO_NOT_TRACK": "1",  # Prefect's client, and others that keep the convention
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def switch_off() -> None:
    """Set the switches for this process and its children; call before the libraries load."""
    os.environ.update(OFF)
