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
import prefect
import pytest
import servers
import workspace
import yaml

from pipeline import files
from pipeline.adapters import tracking

pytestmark = pytest.mark.slow
FLOW = "from flows.retrain import retrain; retrain(promote=False, placement={!r})"
KINDS = "server/api/collections_data/views/aggregate-worker-metadata.json"
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
    with contextlib.ExitStack() as stack:
        database = f"sqlite:///{folder}/mlflow.db"
        if servers.has_postgres():
            database = stack.enter_context(servers.postgres()).uri
        mlflow = stack.enter_context(servers.mlflow(folder, database))
        api = stack.enter_context(servers.prefect(folder))
        shared = {"PREFECT_API_URL": api.url, "MLFLOW_TRACKING_URI": mlflow.url}
        origin = machines.build(folder, str(folder / "remote"), machines.GRAPH)
        host = machines.clone(origin, "host", with_data=True)
        team = Team(folder, host, machines.environment(host, **shared))
        api.wait()
        for pool in ("flow", "cpu", "gpu"):
            template = kinds()["process"]["default_base_job_configuration"]
            team.api("work_pools/", name=pool, type="process", base_job_template=template)
        team.call("prefect", "--no-prompt", "deploy", "--all")
        for pool in ("cpu", "gpu"):
            clone = machines.clone(origin, pool)
            env = machines.environment(clone, **shared)
            stack.enter_context(machines.worker(clone, pool, **env))
        mlflow.wait()
        yield team


@pytest.fixture(scope="module")
def done(team: Team) -> None:
    """Run the flow; the two stages that do not need each other end only if both have begun."""
    (team.folder / "meet").write_text("split tokenise")
    team.flow()


@pytest.mark.usefixtures("done")
def test_each_stage_is_done_once_by_its_pool_and_branches_at_the_same_time(team: Team) -> None:
    assert sorted(machines.ran(team.folder)) == sorted(DONE_BY)


@pytest.mark.usefixtures("done")
def test_the_lock_is_that_of_one_machine(team: Team) -> None:
    one = machines.clone(team.folder / "origin", "one", with_data=True)
    env = {**team.env, "TOY_RAN": str(one / "build-ran")}
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=one, env=env, check=True)
    locks = [yaml.safe_load((each / "dvc.lock").read_text()) for each in (one, team.host)]
    assert locks[0] == locks[1]
    made = [(each / "build/report/rows.txt").read_text() for each in (one, team.host)]
    assert made[0] == made[1]


@pytest.mark.usefixtures("done")
def test_what_any_machine_has_done_is_not_done_again_though_all_lose_it(team: Team) -> None:
    before = machines.ran(team.folder), (team.host / "dvc.lock").read_text()
    for clone in ("host", "cpu", "gpu"):
        shutil.rmtree(team.folder / clone / "build")
    shutil.rmtree(team.host / ".dvc" / "cache" / "runs")
    (team.host / "dvc.lock").unlink()
    team.flow()
    assert machines.ran(team.folder) == before[0]
    assert yaml.safe_load((team.host / "dvc.lock").read_text()) == yaml.safe_load(before[1])
    assert (team.host / "build/report/report.json").is_file()


@pytest.mark.usefixtures("done")
def test_a_stage_nests_below_the_flows_run_in_mlflow(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", team.env["MLFLOW_TRACKING_URI"])
    client = tracking.connect()
    (experiment,) = (each for each in client.search_experiments() if each.name == "charter")
    runs = client.search_runs([experiment.experiment_id])
    nested = [run for run in runs if "mlflow.parentRunId" in run.data.tags]  # not the one machine's
    (split,) = (run for run in nested if run.data.tags["stage"] == "split")
    parents = {run.info.run_id for run in runs if run.data.tags["stage"] == "flow"}
    assert split.data.tags["mlflow.parentRunId"] in parents
    assert split.data.metrics["rows"] == len("one\n" + "validate\n") + len('{"rows": 4}')


@pytest.mark.usefixtures("done")
def test_the_flows_page_shows_the_workers_reports_and_the_worker_its_progress(team: Team) -> None:
    found = team.api("artifacts/filter", sort="UPDATED_DESC")
    reports = [each for each in found if each["key"] == "report-split"]
    assert len({each["flow_run_id"] for each in reports}) == 2  # the worker's run, and the flow's
    assert len({each["data"] for each in reports}) == 1
    assert "MLflow run" in reports[0]["data"]
    assert any(each["key"] == "progress-split" for each in found)


@pytest.mark.usefixtures("done")
def test_a_worker_at_another_commit_refuses_and_names_both(team: Team) -> None:
    here = workspace.run(team.host, "git", "rev-parse", "HEAD").stdout.strip()
    (team.host / "toy.py").write_text(machines.TOY + "# changed\n")
    workspace.run(team.host, "git", "commit", "--quiet", "--all", "--message", "Changed")
    there = workspace.run(team.host, "git", "rev-parse", "HEAD").stdout.strip()
    try:
        refused = team.flow(check=False)
    finally:
        workspace.run(team.host, "git", "reset", "--quiet", "--hard", here)
    assert refused.returncode
    assert f"clone is at {here[:12]} and the flow is at {there[:12]}" in refused.stderr


@pytest.mark.usefixtures("done")
def test_a_cancelled_flow_ends_the_stage_on_its_worker(team: Team) -> None:
    with _report_running(team, "first title") as flow:
        flow.send_signal(signal.SIGTERM)
        flow.wait(60)
        wait_until(lambda: not machines.toys(team.folder / "gpu"))
        wait_until(lambda: not _unfinished(team))


@pytest.mark.usefixtures("done")
def test_a_stage_whose_run_is_killed_is_sent_again(team: Team) -> None:
    """As by the kernel: Prefect sees it crashed, the flow retries. The parameter, which is not
    committed, reaches the worker both times.
    """
    with _report_running(team, "second title") as flow:
        (team.folder / "gpu" / "wait").unlink()
        before = machines.starts(team.folder, "report")
        machines.kill_run(team.folder / "gpu")
        assert flow.wait(90) == 0
    assert machines.starts(team.folder, "report") == before + 1
    lock = yaml.safe_load((team.host / "dvc.lock").read_text())
    assert "second title" in str(lock["stages"]["report"]["params"])


@contextlib.contextmanager
def _report_running(team: Team, title: str) -> Iterator[subprocess.Popen[bytes]]:
    """Change a parameter of the last stage; yield the flow when that stage runs, and goes on so."""
    params = yaml.safe_load((team.host / "params.yaml").read_text())
    params["report"]["title"] = title
    (team.host / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (team.folder / "gpu" / "wait").write_text("120")
    before = machines.starts(team.folder, "report")
    command = [sys.executable, "-c", FLOW.format("pools")]
    with servers.process(command, team.host, team.folder / "flow.log", **team.env) as flow:
        wait_until(lambda: machines.starts(team.folder, "report") > before)
        yield flow
    (team.folder / "gpu" / "wait").unlink(missing_ok=True)


def _unfinished(team: Team) -> list[str]:
    runs = team.api("flow_runs/filter", sort="START_TIME_DESC")
    return [run["name"] for run in runs if run["state_type"] in ("RUNNING", "CANCELLING")]


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.2)


def test_the_deployed_retrain_has_a_schedule_a_form_and_room_for_one_run(team: Team) -> None:
    """What Prefect's server has of it after `prefect deploy --all`."""
    (made,) = (each for each in team.api("deployments/filter") if each["name"] == "retrain")
    (schedule,) = made["schedules"]
    assert schedule["schedule"]["cron"] == "0 3 * * *"
    assert made["global_concurrency_limit"]["limit"] == 1
    assert made["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    form = made["parameter_openapi_schema"]["properties"]
    assert form["when"]["enum"] == ["always", "data", "drift"]


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_the_deployments_fit_pools_of_the_other_kinds(team: Team, kind: str) -> None:
    """What such a pool's worker would be told, by the template that Prefect has for its kind."""
    template = kinds()[kind]["default_base_job_configuration"]
    pool = f"as-{kind}"
    team.api("work_pools/", name=pool, type=kind, base_job_template=template)
    text = (team.host / "prefect.yaml").read_text().replace("# env: {MLFLOW", "env: {MLFLOW")
    (team.folder / f"{kind}.yaml").write_text(text.replace("name: gpu, ", f"name: {pool}, "))
    team.call(
        *("prefect", "--no-prompt", "deploy", "--name", "gpu"),
        *("--prefect-file", str(team.folder / f"{kind}.yaml")),
    )
    (gpu,) = (each for each in team.api("deployments/filter") if each["work_pool_name"] == pool)
    asked = template["variables"]["properties"].keys() & gpu["job_variables"].keys()
    assert asked == {"image", "image_pull_policy", "env"}
    assert "MLFLOW_TRACKING_URI" in gpu["job_variables"]["env"]
    policies = template["variables"]["properties"]["image_pull_policy"]
    assert gpu["job_variables"]["image_pull_policy"] in str(policies)
    team.call("prefect", "--no-prompt", "deploy", "--name", "gpu")


def kinds() -> dict[str, Any]:
    """Return the kinds of work pools that Prefect's server offers, by name."""
    known = files.read_json(Path(prefect.__file__).parent / KINDS)
    return {kind: facts for package in known.values() for kind, facts in package.items()}
