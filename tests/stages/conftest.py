"""What tests of stages on a trained model share."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def here(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the module's ``world``, as the working directory: a test may spoil it."""
    folder = tmp_path / "copy"
    shutil.copytree(world, folder)
    monkeypatch.chdir(folder)
    return folder
