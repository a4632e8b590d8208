"""docs/operations.md: every command of its bash blocks, run as written, on one machine."""

import re
from pathlib import Path

import httpx
import pandas as pd
import pytest
import servers
import yaml
from signing_keys import Keys
from workspace import ROOT, build, environment, run

pytestmark = pytest.mark.long
_LIMIT_S = 1200
DOCUMENT = ROOT / "docs" / "operations.md"
KEPT_RULES = ("policy-set-first", "same-test-rows", "encoder-frozen")  # tiny models pass no others


def script(ports: dict[str, int]) -> str:
    """All bash blocks as one script; only the two ports are others, that tests may run at once."""
    blocks = re.findall(r"(?ms)^```bash\n(.*?)^```", DOCUMENT.read_text())
    text = "\n".join(blocks)
    for written, port in ports.items():
        assert f"--port {written} " in text
        text = text.replace(f"--port {written} ", f"--port {port} ")
    return f"set -euxo pipefail\n{text}"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A tiny workspace, a clone of a repository that others pull from."""
    folder = build(tmp_path / "work")
    raw = yaml.safe_load((folder / "policy.yaml").read_text())
    raw["rules"] = [rule for rule in raw["rules"] if rule["id"] in KEPT_RULES]
    raw |= {"approval": "required", "approvers": {"Abe": Keys(tmp_path, "abe").line}}
    (folder / "policy.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    (folder / "prefect.yaml").write_bytes((ROOT / "prefect.yaml").read_bytes())
    for command in (
        ["git", "add", "--all"],
        ["git", "commit", "--quiet", "--message", "A person approves"],
        ["git", "init", "--quiet", "--bare", "../upstream"],
        ["git", "remote", "add", "origin", "../upstream"],
        ["git", "push", "--quiet", "--set-upstream", "origin", "HEAD"],
    ):
        run(folder, *command)
    return folder


def test_every_command_of_the_operations_page_runs_as_written(
    machine: Path, tmp_path: Path
) -> None:
    ports = {"4200": servers.free_port(), "5000": servers.free_port()}
    fresh = "The visitor in the new hall said that the garden was {} today, twice over."
    of = {"domain": "movie", "gender": "none"}
    words = enumerate(("dull", "fine"))
    rows = [{"text": fresh.format(word), "label": label, **of} for label, word in words]
    (tmp_path / "new.jsonl").write_text("".join(f"{pd.Series(row).to_json()}\n" for row in rows))
    pd.DataFrame({"text": [row["text"] for row in rows]}).to_parquet(tmp_path / "texts.parquet")
    settings = {
        "MLFLOW_DATABASE": f"sqlite:///{tmp_path}/mlflow.db",
        "MLFLOW_ARTIFACTS": str(tmp_path / "artifacts"),
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{ports['5000']}",
        "PREFECT_API_URL": f"http://127.0.0.1:{ports['4200']}/api",
        "CHARTER_REMOTE": str(tmp_path / "remote"),
        "CHARTER_WEBHOOK": "http://127.0.0.1:9/nobody",  # test_served.py has one that listens
        "NEW_ROWS": str(tmp_path / "new.jsonl"),
        "TEXTS": str(tmp_path / "texts.parquet"),
    }
    log = tmp_path / "printed"
    every = {**environment(machine), **settings}
    with servers.process(["bash", "-c", script(ports)], machine, log, **every) as started:
        code = started.wait(_LIMIT_S)
    printed = log.read_text()
    assert code == 0, printed[-6000:]
    assert "Skipped" in printed
    assert "version 1 is champion again" in printed
    scored = pd.read_parquet(machine / "scored.parquet")
    assert scored["label"].notna().all()
    assert set(scored["model_version"]) == {"2"}


def test_mlflow_behind_a_proxy_answers_to_the_name_that_it_was_told(tmp_path: Path) -> None:
    """By its setting as the page has it; by default it takes such a request for an attack."""
    (allowed,) = re.findall(r"`MLFLOW_SERVER_ALLOWED_HOSTS=(\S+)`", DOCUMENT.read_text())
    (told,) = re.findall(r"MLFLOW_TRACKING_URI=http://(\S+)", DOCUMENT.read_text())
    database = f"sqlite:///{tmp_path}/mlflow.db"
    for variables, code in (({}, 403), ({"MLFLOW_SERVER_ALLOWED_HOSTS": allowed}, 200)):
        with servers.mlflow(tmp_path, database, **variables) as server:
            server.wait()
            page = f"{server.url}/api/2.0/mlflow/experiments/search?max_results=1"
            assert httpx.get(page, headers={"Host": told}).status_code == code
