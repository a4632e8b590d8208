"""What tests of several folders share."""

import pytest

from pipeline.adapters import tracking


@pytest.fixture(scope="session")
def mlflow_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URI of one SQLite MLflow for the whole session: making its tables takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # MLflow keeps artifacts in the working directory of the first user
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        tracking.connect().search_experiments()
    return uri
