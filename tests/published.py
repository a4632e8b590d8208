"""Published data that tests compare with and that is not ours to keep here."""

import os
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WHEELS = (os.environ.get("CHARTER_WHEELS"), Path.home() / ".cache" / "charter" / "wheels")
SHARED = Path(os.environ.get("CHARTER_SHARED") or ROOT.parent / "shared" / "data")


def open_wheel(name: str) -> zipfile.ZipFile:
    """Open a wheel that `python -m pipeline ingest` or the developer has fetched, or skip."""
    paths = [Path(folder) / name for folder in WHEELS if folder]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        pytest.skip(f"needs {name} in the folder CHARTER_WHEELS")
    return zipfile.ZipFile(path)


def find_shared(name: str) -> Path:
    """Return a file or folder of the shared development data, or skip."""
    if not (SHARED / name).exists():
        pytest.skip(f"needs {SHARED / name}; CHARTER_SHARED may name another folder")
    return SHARED / name
