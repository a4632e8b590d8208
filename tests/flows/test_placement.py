"""Four machines without a shared disk do what one does: a flow's host, two workers, the servers.

Checked against one machine's ``dvc.lock``, and against a log that every toy stage writes.
"""

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import machines
import pytest
import servers
import workspace
import yaml

from pipeline.adapters import tracking

pytestmark = pytest.mark.slow
FLOW = "from flows.retrain import retrain; retrain(promote=False, placement={!r})"
DONE_BY = ["validate cpu", "split cpu", "tokenise gpu", "report gpu"]


@dataclass(frozen=True)
class Team:
    """The machines."""

    folder: Path
    host: Path  # the flow's clone
    env: dict[str, str]

    def flow(
        self, placement: str = "pools", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return self.call(sys.executable, "-c", FLOW.format(placement), check=check)

    def call(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.host, env=self.env, capture_output=True, text=True, check=False
        )
        logs = "".join(path.read_text()[-4000:] for path in self.folder.glob("*.log"))
        assert not (check and done.returncode), f"{done.stdout}\n{done.stderr}\n{logs}"
        return done

    def api(self, path: str, **body: Any) -> Any:
        return httpx.post(f"{self.env['PREFECT_API_URL']}/{path}", json=body, timeout=30).json()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    (folder / "remote").mkdir()
    origin = machines.build(folder, str(folder / "remote"), machines.GRAPH)
    host = machines.clone(origin, "host", with_data=True)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(servers.postgres())
        mlflow = stack.enter_context(servers.mlflow(folder, database))
        api = stack.enter_context(servers.prefect(folder))
        shared = {"PREFECT_API_URL": api, "MLFLOW_TRACKING_URI": mlflow}
        team = Team(folder, host, machines.environment(host, **shared))
        for pool in ("flow", "cpu", "gpu"):
            team.call("prefect", "work-pool", "create", pool, "--type", "process")
        team.call("prefect", "--no-prompt", "deploy", "--all")
        for pool in ("cpu", "gpu"):
            clone = machines.clone(origin, pool)
            env = machines.environment(clone, **shared)
            stack.enter_context(machines.worker(clone, pool, **env))
        yield team


@pytest.fixture(scope="module")
def done(team: Team) -> subprocess.CompletedProcess[str]:
    (team.folder / "gpu" / "wait").write_text("3")
    first = team.flow()
    (team.folder / "gpu" / "wait").unlink()
    return first


def test_each_stage_is_done_once_and_by_the_pool_it_asks_for(
    team: Team, done: subprocess.CompletedProcess[str]
) -> None:
    assert sorted(machines.ran(team.folder)) == sorted(DONE_BY)


def test_stages_that_do_not_need_each_other_run_at_the_same_time(
    team: Team, done: subprocess.CompletedProcess[str]
) -> None:
    split, tokenise = (machines.span(team.folder, name) for name in ("split", "tokenise"))
    assert max(split[0], tokenise[0]) < min(split[1], tokenise[1])


def test_the_lock_is_that_of_one_machine(
    team: Team, done: subprocess.CompletedProcess[str]
) -> None:
    one = machines.clone(team.folder / "origin", "one", with_data=True)
    env = {**machines.environment(one), "TOY_RAN": str(one.parent / "ran-one")}
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=one, env=env, check=True)
    locks = [yaml.safe_load((each / "dvc.lock").read_text()) for each in (one, team.host)]
    assert locks[0] == locks[1]
    assert (team.host / "build/report/rows.txt").read_text() == (
        one / "build/report/rows.txt"
    ).read_text()


def test_a_second_run_with_the_workers_build_gone_does_nothing_again(
    team: Team, done: subprocess.CompletedProcess[str]
) -> None:
    before = machines.ran(team.folder), (team.host / "dvc.lock").read_bytes()
    for clone in ("cpu", "gpu"):
        shutil.rmtree(team.folder / clone / "build")
    team.flow()
    assert (machines.ran(team.folder), (team.host / "dvc.lock").read_bytes()) == before


def test_what_one_machine_has_done_another_host_takes_from_the_remote(
    team: Team, done: subprocess.CompletedProcess[str]
) -> None:
    """The results of an interrupted or other run are found by their inputs, not by who has them."""
    before = machines.ran(team.folder)
    shutil.rmtree(team.host / "build")
    shutil.rmtree(team.host / ".dvc" / "cache" / "runs")
    (team.host / "dvc.lock").unlink()
    team.flow()
    assert machines.ran(team.folder) == before
    assert (team.host / "build/report/report.json").is_file()


def test_the_stage_nests_below_the_flows_run_in_mlflow(
    team: Team, done: subprocess.CompletedProcess[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", team.env["MLFLOW_TRACKING_URI"])
    client = tracking.connect()
    (experiment,) = (each for each in client.search_experiments() if each.name == "charter")
    runs = client.search_runs([experiment.experiment_id])
    (split,) = (run for run in runs if run.data.tags["stage"] == "split")
    parents = {run.info.run_id for run in runs if run.data.tags["stage"] == "flow"}
    assert split.data.tags["mlflow.parentRunId"] in parents
    assert split.data.metrics["rows"] == len("one\n" + "validate\n")


def test_the_flows_page_shows_the_workers_reports_and_the_worker_its_progress(
    team: Team, done: subprocess.CompletedProcess[str]
) -> None:
    found = team.api("artifacts/filter", sort="UPDATED_ASC")
    reports = [each for each in found if each["key"] == "report-split"]
    assert len({each["flow_run_id"] for each in reports}) == 2  # the worker's run, and the flow's
    assert len({each["data"] for each in reports}) == 1
    assert "MLflow run" in reports[0]["data"]
    assert any(each["key"] == "progress-split" for each in found)


def test_a_parameter_that_is_not_committed_reaches_the_worker(
    team: Team, done: subprocess.CompletedProcess[str]
) -> None:
    params = team.host / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("test_share: 0.2", "test_share: 0.25", 1))
    assert params.read_text() != before
    try:
        team.flow()
    finally:
        params.write_text(before)
    lock = yaml.safe_load((team.host / "dvc.lock").read_text())
    assert lock["stages"]["split"]["params"]["params.yaml"]["split"]["test_share"] == 0.25
    assert machines.ran(team.folder)[-1] == "split cpu"  # equal outputs: the others stand


def test_a_worker_at_another_commit_refuses_and_names_both(team: Team) -> None:
    here = workspace.run(team.folder / "cpu", "git", "rev-parse", "HEAD").stdout.strip()
    (team.host / "toy.py").write_text(machines.TOY + "# changed\n")
    refused = team.flow(check=False)
    assert "toy.py: not as committed" in refused.stderr
    workspace.run(team.host, "git", "commit", "--quiet", "--all", "--message", "Changed")
    there = workspace.run(team.host, "git", "rev-parse", "HEAD").stdout.strip()
    try:
        refused = team.flow(check=False)
    finally:
        workspace.run(team.host, "git", "reset", "--quiet", "--hard", here)
    assert refused.returncode
    assert f"clone is at {here[:12]} and the flow is at {there[:12]}" in refused.stderr


def test_a_cancelled_flow_ends_the_stage_on_its_worker(team: Team) -> None:
    (team.folder / "gpu" / "wait").write_text("120")
    (team.host / "data" / "rows.txt").write_text("two\n")
    team.call(sys.executable, "-m", "dvc", "add", "--quiet", "data")
    started = machines.starts(team.folder, "tokenise")
    with servers.process(
        [sys.executable, "-c", FLOW.format("pools")],
        team.host,
        team.folder / "flow.log",
        **team.env,
    ) as flow:
        wait_until(lambda: machines.starts(team.folder, "tokenise") > started)
        flow.send_signal(signal.SIGTERM)
        flow.wait(60)
    wait_until(lambda: not machines.toys(team.folder / "gpu"))
    (team.folder / "gpu" / "wait").unlink()
    runs = team.api("flow_runs/filter", sort="START_TIME_DESC")
    assert not [run["name"] for run in runs if run["state_type"] in ("RUNNING", "CANCELLING")]


def test_a_stage_whose_worker_dies_is_sent_again(team: Team) -> None:
    """Its run's process is killed, as by the kernel: Prefect sees it crashed, the flow retries."""
    (team.folder / "cpu" / "wait").write_text("120")
    (team.host / "data" / "rows.txt").write_text("three\n")
    team.call(sys.executable, "-m", "dvc", "add", "--quiet", "data")
    started = machines.starts(team.folder, "validate")
    with servers.process(
        [sys.executable, "-c", FLOW.format("pools")],
        team.host,
        team.folder / "flow.log",
        **team.env,
    ) as flow:
        wait_until(lambda: machines.starts(team.folder, "validate") > started)
        (team.folder / "cpu" / "wait").unlink()
        machines.kill_run(team.folder / "cpu")
        assert flow.wait(90) == 0
    assert machines.starts(team.folder, "validate") == started + 2


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.2)
