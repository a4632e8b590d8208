"""A working directory whose data/ DVC records and whose runs MLflow keeps."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.repo import Repo


@contextlib.contextmanager
def working_in(folder: Path, mlflow_uri: str) -> Iterator[Path]:
    """Make a folder and work in it."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
        yield folder


def init(*, no_scm: bool = False) -> None:
    """Make it a DVC repository; what a made-up data.dvc said is gone."""
    Path("data.dvc").unlink()
    Repo.init(no_scm=no_scm).close()


def add_data() -> None:
    """Run `dvc add data`."""
    with Repo() as repo:
        repo.add("data")
