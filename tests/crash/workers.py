"""Trials that kill a worker, by itself or with all that it runs, as a machine that is lost."""

import random
import shutil
import tempfile
import time
from pathlib import Path

import servers
import workspace

from crash import world as worlds
from crash.world import World, WrongError

VICTIMS = ("worker", "machine")
_RUN = ("prefect", "deployment", "run", "retrain/retrain", "--watch")
_PARAMS = ("--param", "promote=false", "--param", "placement=here")
_LEASE_S = "30"  # of the one run at a time; Prefect's own is 300
_FREE_S = 180.0


def kill_worker(world: World, draw: random.Random, stage: str, victim: str) -> str:
    """Kill a worker during a run of the deployment `retrain`; another worker does the next run."""
    world.lay_out(without=stage)
    shutil.copy(workspace.ROOT / "prefect.yaml", world.work)
    lease = {"PREFECT_SERVER_CONCURRENCY_INITIAL_DEPLOYMENT_LEASE_DURATION": _LEASE_S}
    with tempfile.TemporaryDirectory() as folder, servers.prefect(Path(folder), **lease) as server:
        server.wait()
        told = {"PREFECT_API_URL": server.url, "PREFECT_WORKER_QUERY_SECONDS": "2"}
        world.run("prefect", "work-pool", "create", "flow", "--type", "process", **told)
        world.run("prefect", "--no-prompt", "deploy", "--name", "retrain", **told)
        worker = world.start("prefect", "worker", "start", "--pool", "flow", **told)
        asked = world.start(*_RUN, *_PARAMS, **told)
        world.await_process(_is_run)
        after_s = draw.uniform(0.0, 0.9) * (world.seconds["flow"] + world.seconds[stage])
        time.sleep(after_s)
        asked.kill()
        asked.wait()
        killed = world.kill(_is_worker if victim == "worker" else lambda _: True)
        worker.wait()
        other = world.start("prefect", "worker", "start", "--pool", "flow", **told)
        free_s = _run_again(world, **told)
        world.kill(_is_worker)
        other.wait()
    worlds.check_results(world)
    return f"{stage}, {victim} at {after_s:.1f} s ({killed} killed), run again after {free_s:.0f} s"


def _run_again(world: World, **told: str) -> float:
    """Ask for a run until it is not cancelled for the dead one's sake; return the seconds."""
    start = time.monotonic()
    while time.monotonic() < start + _FREE_S:
        asked_s = time.monotonic() - start
        if "Completed" in world.run(*_RUN, *_PARAMS, codes=(0, 1), **told):
            return asked_s
    raise WrongError(f"no run was let in for {_FREE_S:.0f} s: {world.log.read_text()[-1500:]}")


def _is_worker(args: list[str]) -> bool:
    return args[1:5] == ["-m", "prefect", "worker", "start"]


def _is_run(args: list[str]) -> bool:
    return args[1:3] == ["-m", "prefect.engine"] or "flow-run" in args
