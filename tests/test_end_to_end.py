"""The chain, whole, on a tiny workspace: one graph, three ways in."""

import contextlib
import random
import re
import shutil
import sqlite3
import sys
import time
from pathlib import Path

import pytest
import yaml
from crash import kills
from crash import world as crashes
from workspace import PLANTED, build, run

from pipeline import reports

pytestmark = pytest.mark.slow
FLOW = (sys.executable, "-m", "flows.retrain")
REPRO = (sys.executable, "-m", "dvc", "repro")


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("untouched") / "work")


@pytest.fixture(scope="module")
def flowed(untouched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(untouched, tmp_path_factory.mktemp("flow") / "work"))
    done = run(folder, *FLOW, check=False)
    assert done.returncode in (0, 3), done.stdout + done.stderr  # promoted, or refused by the gate
    (folder.parent / "printed").write_text(done.stdout + done.stderr)
    return folder


def test_the_flow_runs_every_stage_and_leaves_every_report(flowed: Path) -> None:
    stages = yaml.safe_load((flowed / "dvc.lock").read_text())["stages"]
    assert list(stages) == list(reports.STAGE_REPORTS)
    assert all((flowed / "build" / stage / "report.json").is_file() for stage in stages)


def test_the_page_that_the_command_names_has_the_run_and_all_its_tasks(flowed: Path) -> None:
    """On the server of `make ui`; the command's own is gone."""
    printed = (flowed.parent / "printed").read_text()
    (run_id,) = re.findall(r":4200/runs/flow-run/(\S+) \(after `make ui`\)", printed)
    with contextlib.closing(sqlite3.connect(flowed / ".prefect" / "prefect.db")) as database:
        asked = "SELECT name, state_type FROM task_run WHERE flow_run_id = ?"
        tasks = database.execute(asked, [run_id]).fetchall()
    named = [*reports.STAGE_REPORTS, "publish"]
    assert sorted(tasks) == sorted((name, "COMPLETED") for name in named)


def test_no_secret_of_the_environment_is_written_anywhere(flowed: Path) -> None:
    """In no report, log or lock file, nor in the databases of MLflow, Prefect and DVC."""
    files = [path for path in flowed.parent.rglob("*") if path.is_file()]
    assert {"prefect.db", "mlflow.db", "dvc.lock", "printed"} <= {path.name for path in files}
    for path in files:
        data = path.read_bytes()
        assert [name for name, secret in PLANTED.items() if secret.encode() in data] == [], path


def test_dvc_repro_leaves_the_lock_that_the_flow_leaves(
    flowed: Path, untouched: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(untouched, tmp_path / "work"))
    run(other, *REPRO)
    assert (other / "dvc.lock").read_text() == (flowed / "dvc.lock").read_text()


def test_a_second_run_does_no_work(flowed: Path) -> None:
    lock = flowed / "dvc.lock"
    before = lock.read_bytes(), lock.stat().st_mtime_ns
    again = run(flowed, *FLOW, check=False)
    said = again.stdout + again.stderr
    ended = re.findall(r"Task run '(\w+)' - Finished in state (\w+)", said)
    stages = [each for each in ended if each[0] in reports.STAGE_REPORTS]
    assert sorted(stages) == sorted((stage, "Cached") for stage in reports.STAGE_REPORTS), said
    repro = run(flowed, *REPRO)
    assert "Running stage" not in repro.stdout + repro.stderr
    assert (lock.read_bytes(), lock.stat().st_mtime_ns) == before


def test_a_killed_stage_is_run_again_whole(flowed: Path) -> None:
    """Half-written outputs: the report is missing, so DVC has no record of the stage."""
    (flowed / "build" / "split" / "report.json").unlink()
    run(flowed, *REPRO, "split")
    assert (flowed / "build" / "split" / "report.json").is_file()


@pytest.mark.parametrize("victim", kills.VICTIMS)
def test_a_stage_killed_with_or_without_its_dvc_ends_as_if_undisturbed(
    flowed: Path, victim: str
) -> None:
    """The short form of the crash matrix: against the same files, byte for byte."""
    seed = time.time_ns()
    world = crashes.World(flowed.parent, "flowed", {crashes.TRIAL: str(seed)}, {"split": 5.0})
    world.expected = crashes.results(world)
    crashes.forget(world, "split")
    said = kills.kill_and_run_again(world, random.Random(seed), "split", victim)
    print(f"seed {seed}: {said}")  # noqa: T201


def test_data_that_is_not_on_record_is_refused(flowed: Path) -> None:
    extra = flowed / "data" / "labelled" / "more.jsonl"
    extra.write_text('{"text": "A fine day at the sea.", "label": 1}\n')
    try:
        refused = run(flowed, *FLOW, check=False)
    finally:
        extra.unlink()
    assert refused.returncode == 2
    assert "dvc add data" in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stdout + refused.stderr
