"""Data for development that lies beside the repository; a test that needs it skips without it."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("CHARTER_SHARED", Path(__file__).parents[2] / "shared" / "data"))


def needed(name: str) -> Path:
    """Return the path of a file or folder of the development data, or skip the test."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path
