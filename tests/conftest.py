"""What tests of several folders share."""

import os

import pytest

from pipeline.adapters import runs, tracking

os.environ.setdefault("OMP_NUM_THREADS", "1")  # pytest's own processes share the cores


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow files first, so that the processes end together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def mlflow_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The default URI in a folder, for the whole session: making its tables takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow") / "of an odd name, 50%20#"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        uri = runs.tracking_uri()
        tracking.connect().search_experiments()
    assert (folder / "mlflow.db").is_file()
    return uri
