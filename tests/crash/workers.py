"""Trials that kill what a scheduled run stands on: its worker, all of its machine, the server."""

import random
import shutil
import tempfile
import time
from pathlib import Path

import servers
import workspace

from crash import world as worlds
from crash.world import World, WrongError

VICTIMS = ("worker", "machine", "server")
_RUN = ("prefect", "deployment", "run", "retrain/retrain", "--watch")
_WORKER = ("prefect", "worker", "start", "--pool", "flow")
_PARAMS = ("--param", "promote=false", "--param", "placement=here")
# As docs/operations.md has it: a server that keeps its leases in memory forgets, when it is started
# again, who holds a deployment's one place, and lets no run in any more.
_LEASES = "prefect.server.concurrency.lease_storage.filesystem"
_FREE_S = 400.0  # a lost run's place is free after 300 s (prefect.flow_engine)


def kill_worker(world: World, draw: random.Random, stage: str, victim: str) -> str:
    """Kill a part of a run of the deployment `retrain`; the next run is let in, and ends well."""
    world.lay_out(without=stage)
    shutil.copy(workspace.ROOT / "prefect.yaml", world.work)
    leases = {"PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": _LEASES}
    with tempfile.TemporaryDirectory() as home, servers.prefect(Path(home), **leases) as server:
        server.wait()
        told = {"PREFECT_API_URL": server.url, "PREFECT_WORKER_QUERY_SECONDS": "2"}
        world.run("prefect", "work-pool", "create", "flow", "--type", "process", **told)
        world.run("prefect", "--no-prompt", "deploy", "--name", "retrain", **told)
        after_s = draw.uniform(0.0, 0.9) * (world.seconds["flow"] + world.seconds[stage])
        _kill_in_run(world, server, victim, after_s, **told)
        world.start(*_WORKER, **told)
        free_s = _run_again(world, **told)
        world.kill(_is_worker)
    worlds.check_results(world)
    return f"{stage}, {victim} at {after_s:.1f} s, a run let in after {free_s:.0f} s"


def _kill_in_run(
    world: World, server: servers.Server, victim: str, after_s: float, **told: str
) -> None:
    worker = world.start(*_WORKER, **told)
    asked = world.start(*_RUN, *_PARAMS, **told)
    world.await_process(_is_run)
    time.sleep(after_s)
    if victim == "server":
        server.kill()
        server.start()
        server.wait()
        world.await_exit(asked)
    world.kill(_is_worker if victim != "machine" else lambda _: True)
    for each in (asked, worker):
        each.kill()
        each.wait()


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
