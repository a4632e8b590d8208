"""Against a real Prefect server and runner: forms, overlap, approval, time-out and the webhook."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import approval_factory
import bundle_factory
import httpx
import pytest
import recorded
import webhook
from prefect.settings import PREFECT_API_URL, temporary_settings
from signing_keys import Keys
from webhook import Post

from flows import champion, server
from pipeline import decisions, publish
from pipeline.adapters.registry import Registry
from pipeline.errors import InputError
from pipeline.params import BundleParams

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
NAME = "served"
SERVE = """
from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.deployments.runner import EntrypointType
from flows import approve, retrain
one = ConcurrencyLimitConfig(limit=1, collision_strategy="CANCEL_NEW")
by = {"entrypoint_type": EntrypointType.MODULE_PATH}
serve(
    retrain.retrain.to_deployment("retrain", concurrency_limit=one, **by),
    approve.approve.to_deployment("approve", **by),
)
"""


class Api:
    """A Prefect server's API."""

    def __init__(self, url: str) -> None:
        self.url = url
        afresh = httpx.Limits(max_keepalive_connections=0)  # one kept may be closed as it is used
        self._client = httpx.Client(base_url=url, timeout=30, limits=afresh)

    def get(self, path: str) -> Any:
        return self._client.get(path).raise_for_status().json()

    def post(self, path: str, **body: Any) -> Any:
        """Post as Prefect's own client does: a server whose SQLite is busy is asked again."""
        answer = until(lambda: (a := self._client.post(path, json=body)).status_code != 503 and a)
        return answer.raise_for_status().json()

    def start(self, name: str, **parameters: Any) -> str:
        deployment = self.get(f"/deployments/name/{name}/{name}")["id"]
        path = f"/deployments/{deployment}/create_flow_run"
        return str(self.post(path, parameters=parameters)["id"])

    def refuses(self, name: str, **parameters: Any) -> bool:
        """Return whether the server makes no run with such parameters, as the form would not."""
        deployment = self.get(f"/deployments/name/{name}/{name}")["id"]
        path = f"/deployments/{deployment}/create_flow_run"
        return self._client.post(path, json={"parameters": parameters}).status_code == 409

    def state(self, run: str) -> dict[str, Any]:
        state: dict[str, Any] = self.get(f"/flow_runs/{run}")["state"]
        return state

    def wait(self, run: str, *types: str, after: str = "") -> dict[str, Any]:
        """Return a run's state once it is of these types, and another than ``after``."""
        return until(lambda: (s := self.state(run))["type"] in types and s["id"] != after and s)


def until(found: Callable[[], Any], seconds: float = 180) -> Any:
    """Return what ``found`` returns once it is something."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.2)
    return value


@pytest.fixture(scope="module")
def posts() -> Iterator[tuple[str, list[Post]]]:
    with webhook.listen() as listening:
        yield listening


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, mlflow_uri: str) -> Iterator[Path]:
    """A bundle that the gate passes, a policy that asks for a person, and no stage to run."""
    with recorded.working_in(tmp_path_factory.mktemp("served") / "work", mlflow_uri) as folder:
        approval_factory.init_git()
        approval_factory.build(NAME, Keys(folder))
        Path("dvc.yaml").write_text("stages: {}\n")
        Path("data").write_text("x")
        recorded.init()
        recorded.add_data()
        yield folder


@pytest.fixture(scope="module")
def api(workspace: Path, posts: tuple[str, Any]) -> Iterator[Api]:
    """A server and a runner in the workspace, and the webhook made known to the server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    own = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PREFECT_API_URL": url,
        "PREFECT_HOME": str(workspace / ".prefect"),
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "1",
    }
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> None:
        with (workspace / f"{len(started)}.log").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, *command],
                    env=os.environ | own,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    try:
        start("-m", "prefect", "server", "start", "--port", str(port))
        until(lambda: is_up(url))
        start("-c", SERVE)
        for number in (2, 3):  # again: there is one automation still
            start("-m", "flows.notify", posts[0])
            assert started[-1].wait(60) == 0, (workspace / f"{number}.log").read_text()
        until(lambda: httpx.get(f"{url}/deployments/name/approve/approve").is_success)
        yield Api(url)
    finally:
        for process in reversed(started):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def processes(run: str) -> list[str]:
    """Return the processes that work on a run, which Prefect names in their environment."""
    wanted, found = f"PREFECT__FLOW_RUN_ID={run}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is another user's
            found += [folder.name] if wanted in (folder / "environ").read_bytes() else []
    return found


def aliases() -> dict[str, str]:
    at = {alias: Registry(NAME).at(alias) for alias in ("champion", "challenger")}
    return {alias: version.number for alias, version in at.items() if version}


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").is_success
    except httpx.TransportError:
        return False


def test_two_retrainings_do_not_overlap_and_a_person_promotes(
    api: Api, workspace: Path, posts: tuple[str, list[Post]]
) -> None:
    """The second is cancelled by the server; the first awaits a person, and the webhook says so."""
    form = api.get("/deployments/name/retrain/retrain")["parameter_openapi_schema"]["properties"]
    assert form["when"]["enum"] == ["always", "data", "drift"]
    assert form["promote"]["type"] == "boolean"
    assert api.refuses("retrain", when="monthly")
    assert api.refuses("retrain", promote="perhaps")
    runs = [api.start("retrain"), api.start("retrain")]
    states = [api.wait(run, "COMPLETED", "CANCELLED", "FAILED", "CRASHED") for run in runs]
    assert sorted(state["name"] for state in states) == ["AwaitingApproval", "Cancelled"]
    (awaiting,) = [state for state in states if state["name"] == "AwaitingApproval"]
    assert "python -m pipeline approve 1" in awaiting["message"]

    (run,) = until(lambda: api.post("/flow_runs/filter", flows={"name": {"any_": ["approve"]}}))
    asked = api.wait(run["id"], "PAUSED")
    assert asked["name"] == "Suspended"
    until(lambda: not processes(run["id"]))  # who waits costs nothing
    assert api.state(run["id"])["id"] == asked["id"]
    answer = {"name": "Bea", "decision": "approve", "reason": "I read the report."}
    api.post(f"/flow_runs/{run['id']}/resume", run_input=answer)
    again = api.wait(run["id"], "PAUSED", "FAILED", after=asked["id"])
    assert again["type"] == "PAUSED"  # Bea is no approver: another is asked
    assert Registry(NAME).at("champion") is None
    answer["name"] = approval_factory.APPROVER
    api.post(f"/flow_runs/{run['id']}/resume", run_input=answer)
    assert api.wait(run["id"], "COMPLETED", "FAILED", "CRASHED")["type"] == "COMPLETED"
    promoted = Registry(NAME).at("champion")
    assert promoted is not None
    assert promoted.number == "1"
    actions = [json.loads(line)["action"] for line in decisions.read()]
    assert actions == ["wait", "approve", "promote"]
    assert [p.body["state"] for p in posts[1] if p.body["flow"] == "retrain"] == [
        "AwaitingApproval"
    ]


def test_nobody_answering_is_a_refusal_and_the_webhook_hears_of_it(
    api: Api, workspace: Path, posts: tuple[str, list[Post]]
) -> None:
    bundle_factory.write_bundle(NAME, seed=1)
    made = publish.publish(BundleParams(name=NAME))
    assert (made.version, made.outcome) == ("2", "awaiting approval")
    before = len(decisions.read())
    run = api.start("approve", version=made.version, timeout_h=1 / 3600)
    late = api.wait(run, "FAILED")
    answer = {"name": approval_factory.APPROVER, "decision": "approve", "reason": "I was away."}
    assert api.post(f"/flow_runs/{run}/resume", run_input=answer)["status"] != "ACCEPT"
    assert api.state(run)["id"] == late["id"]
    assert aliases() == {"champion": "1", "challenger": "2"}
    assert len(decisions.read()) == before
    post = until(lambda: [p.body for p in posts[1] if p.body["flow"] == "approve"])[-1]
    assert post["state"] == "Failed"
    assert f"/runs/flow-run/{run}" in post["page"]


def test_promotion_verification_and_rollback_are_flows_that_change_nothing_twice(
    api: Api, workspace: Path
) -> None:
    """On the champion of the first test; that of the second was never one."""
    with temporary_settings({PREFECT_API_URL: api.url}):
        before = len(list(decisions.read()))
        assert not champion.verify().withdrawn
        assert champion.promote("1").outcome == "already champion"
        with pytest.raises(InputError, match="no champion before it"):
            champion.rollback("1")
        server.flush_clients()
    left = Registry(NAME).at("champion")
    assert left is not None
    assert left.number == "1"
    assert len(list(decisions.read())) == before
