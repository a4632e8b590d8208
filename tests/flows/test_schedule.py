"""A schedule makes runs, on the versions that requirements.lock pins."""

import time
from pathlib import Path

import httpx
import pytest
import servers

pytestmark = pytest.mark.slow


def test_the_server_makes_the_runs_that_a_cron_schedule_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedule of prefect.yaml, made active, as Prefect's own scheduler takes it up."""
    monkeypatch.setenv("PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS", "1")
    with servers.prefect(tmp_path) as url, httpx.Client(base_url=url, timeout=30) as api:
        servers.wait_for(f"{url}/health", tmp_path / "server.log")
        flow = api.post("/flows/", json={"name": "retrain"}).json()["id"]
        body = {
            "name": "retrain",
            "flow_id": flow,
            "schedules": [{"active": True, "schedule": {"cron": "0 3 * * *"}}],
        }
        until = time.monotonic() + 90
        while not api.post("/deployments/", json=body).is_success:  # SQLite may be busy
            assert time.monotonic() < until
        mine = {"flows": {"name": {"any_": ["retrain"]}}}
        while not api.post("/flow_runs/count", json=mine).json():
            assert time.monotonic() < until, (tmp_path / "server.log").read_text()[-2000:]
            time.sleep(0.5)
