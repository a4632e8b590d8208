"""A schedule makes runs, on the versions that requirements.lock pins."""

import time
from pathlib import Path

import pytest
import servers

pytestmark = pytest.mark.slow


def test_the_server_makes_the_runs_that_a_cron_schedule_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedule of prefect.yaml, made active, as Prefect's own scheduler takes it up."""
    monkeypatch.setenv("PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS", "1")
    with servers.prefect(tmp_path) as server:
        server.wait()
        url = server.url
        flow = servers.post(f"{url}/flows/", name="retrain")["id"]
        daily = {"active": True, "schedule": {"cron": "0 3 * * *"}}
        servers.post(f"{url}/deployments/", name="retrain", flow_id=flow, schedules=[daily])
        mine = {"name": {"any_": ["retrain"]}}
        until = time.monotonic() + 90
        while not servers.post(f"{url}/flow_runs/count", flows=mine):
            assert time.monotonic() < until, server.log.read_text()[-2000:]
            time.sleep(0.5)
