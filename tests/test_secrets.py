"""MLflow behind basic-auth, and no secret in anything that a run writes or prints.

Every file below the test's folder is searched for what was planted in the environment: the
workspace, the server's database, artifacts and log, and what the commands printed.
"""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import bundle_factory
import pytest
import servers
from workspace import PLANTED

ROOT = Path(__file__).parents[1]
PASSWORD = "planted-password-41c7"  # noqa: S105
STAGE = """
from pathlib import Path
from pipeline import params
from pipeline.adapters import runs
with runs.stage_run("split", params.load().split) as track:
    track.metrics({"rows": 3.0}, 0)
    track.artifact(Path("policy.yaml"))
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a bundle to publish."""
    made = tmp_path_factory.mktemp("secrets")
    (made / "work").mkdir()
    (made / "server").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made / "work")
        bundle_factory.build("charter-sentiment")
    return made


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """``HOST:PORT`` of a server that asks for a name and a password."""
    store = folder / "server"
    config = store / "auth.ini"
    settings = {
        "auth_cache_ttl_seconds": "60",  # or each of hundreds of requests hashes the password
        "default_permission": "READ",
        "database_uri": f"sqlite:///{store}/auth.db",
        "admin_username": "admin",
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    lines = [f"{key} = {value}" for key, value in settings.items()]
    config.write_text("\n".join(["[mlflow]", *lines]))
    variables = {
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "a key of this server",
    }
    database = f"sqlite:///{store}/mlflow.db"
    options = ("--app-name", "basic-auth")
    with servers.mlflow(store, database, None, *options, **variables) as server:
        server.wait()
        yield server.url.removeprefix("http://")


def run(folder: Path, *command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run ``python ...`` in the workspace; what it printed is kept where it is searched."""
    foreign = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    inherited = {name: value for name, value in os.environ.items() if name not in foreign}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder / "work",
        env={**inherited, **PLANTED, **variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    with (folder / "printed").open("a") as printed:
        printed.write(done.stdout + done.stderr)
    return done


def find_planted(folder: Path) -> list[str]:
    """Return where one of the secrets is written, as it is or as HTTP encodes it."""
    as_header = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    secrets = [secret.encode() for secret in (*PLANTED.values(), PASSWORD, as_header)]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [
        f"{path}: {secret.decode()}"
        for path in files
        for secret in secrets
        if secret in path.read_bytes()
    ]


def test_without_a_password_nothing_is_published_and_one_line_says_so(
    folder: Path, address: str
) -> None:
    for variables in ({}, {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "no"}):
        done = run(
            folder,
            "-m",
            "pipeline",
            "publish",
            MLFLOW_TRACKING_URI=f"http://{address}",
            **variables,
        )
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert "MLflow at " in done.stderr


def test_with_a_password_in_the_uri_a_stage_is_recorded_and_it_is_written_nowhere(
    folder: Path, address: str
) -> None:
    staged = run(folder, "-c", STAGE, MLFLOW_TRACKING_URI=f"http://admin:{PASSWORD}@{address}")
    assert staged.returncode == 0
    assert "WARNING" not in staged.stderr
    assert (folder / "work/.charter/runs/split.json").is_file()
    assert find_planted(folder) == []


def test_with_a_password_in_variables_a_bundle_is_published_and_it_is_written_nowhere(
    folder: Path, address: str
) -> None:
    named = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": PASSWORD}
    variables = {"MLFLOW_TRACKING_URI": f"http://{address}", **named}
    published = run(folder, "-m", "pipeline", "publish", **variables)
    assert published.returncode == 0, published.stderr
    verified = run(
        folder, "-m", "pipeline", "verify", "models:/charter-sentiment@champion", **variables
    )
    assert verified.stdout.endswith("verified\n")
    assert find_planted(folder) == []


def test_the_search_finds_what_is_there(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "leak").write_text(f"http://admin:{PASSWORD}@host")
    assert find_planted(tmp_path) == [f"{tmp_path / 'leak'}: {PASSWORD}"]
