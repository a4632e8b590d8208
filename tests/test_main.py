"""The command line: a person's mistake is one message and exit code 2, never a traceback."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_model import write_tokenised

from pipeline import reports
from pipeline.__main__ import main

ROOT = Path(__file__).parents[1]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder with nothing but params.yaml and policy.yaml: no stage has run."""
    for name in ("params.yaml", "policy.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def inside(workspace: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, for commands run in this process, which imports torch but once."""
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    return workspace


def pipeline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {"PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=folder,
        env=dict(os.environ) | own,
        capture_output=True,
        text=True,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], named: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert named in done.stderr
    assert "Traceback" not in done.stderr


OUT_OF_ORDER = {
    "split": "dvc repro validate",
    "tokenise": "dvc repro split",
    "pretrain": "dvc repro tokenise",
    "compress": "dvc repro pretrain",
    "features": "dvc repro",
    "finetune": "dvc repro",
    "evaluate": "dvc repro",
    "audit": "dvc repro",
    "report": "dvc repro",
    "bundle": "dvc repro",
    "publish": "dvc repro",
}


@pytest.mark.parametrize(("stage", "named"), OUT_OF_ORDER.items())
def test_a_stage_out_of_order_says_what_to_run_first(
    inside: Path, stage: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([stage]) == 2
    assert named in capsys.readouterr().err
    assert not (inside / "build" / stage / "report.json").exists()


def test_missing_data_is_named(workspace: Path) -> None:
    assert_refused(pipeline(workspace, "validate"), "data/")


def test_an_unknown_key_is_refused_before_any_work(workspace: Path) -> None:
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("  salt: charter", "  slat: charter"))
    assert_refused(pipeline(workspace, "split"), "did you mean 'salt'")


def test_an_unknown_command_lists_the_known(workspace: Path) -> None:
    assert_refused(pipeline(workspace, "evalute"), "evaluate")


@contextlib.contextmanager
def tiny_disk(at: Path, size: str) -> Iterator[Path]:
    at.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(at)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


def test_a_full_disk_is_said_and_leaves_no_report(workspace: Path) -> None:
    """The corpus fits and what validate writes of it does not."""
    rows = "".join(f'{{"text": "{os.urandom(900).hex()}"}}\n' for _ in range(1000))
    (workspace / "data" / "corpus").mkdir(parents=True)
    (workspace / "data" / "labelled").mkdir()
    (workspace / "data" / "corpus" / "a.jsonl").write_text(rows)
    groups = '"domain": "a", "gender": "b"'
    labelled = "".join(f'{{"text": "row {n}", "label": {n % 2}, {groups}}}\n' for n in range(200))
    (workspace / "data" / "labelled" / "a.jsonl").write_text(labelled)
    with tiny_disk(workspace / "build", "200k"):
        done = pipeline(workspace, "validate")
        assert_refused(done, "No space left on device")
        assert not list((workspace / "build").rglob("report.json"))


def test_a_disk_that_a_checkpoint_fills_is_said_and_the_ones_before_stand(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two checkpoints of 2.5 MB fit, and the third, beside which both still stand, does not."""
    write_tokenised(inside / "build" / "tokenise")
    params = {"init": "scratch", "layers": 1, "hidden": 128, "seq_len_tokens": 16,
        "tokens": 512, "checkpoint_every_steps": 2, "heldout_every_steps": 99}  # fmt: skip
    text = (inside / "params.yaml").read_text()
    for key, value in params.items():
        text = re.sub(rf"(?m)^  {key}: .*$", f"  {key}: {value}", text, count=1)
    (inside / "params.yaml").write_text(text)
    with tiny_disk(inside / ".charter", "6m") as disk:
        assert main(["pretrain"]) == 2
        assert "No space left on device; free some space" in capsys.readouterr().err
        kept = sorted(path.name for path in disk.glob("checkpoints/*/step-*"))
        assert kept == ["step-2", "step-4"]


def test_every_stage_is_a_command() -> None:
    listed = pipeline(ROOT, "--help").stdout
    assert all(stage in listed for stage in reports.STAGE_REPORTS)
