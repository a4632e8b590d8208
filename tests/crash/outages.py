"""Trials in which a server goes away: killed, frozen for a while, or restarted as by a crash."""

import contextlib
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import servers

from crash import kills
from crash import world as worlds
from crash.world import ImpossibleError, World, WrongError

_RETRIES_S = 150.0  # what a client may spend on a server that is not there


def make_served(home: Path) -> World:
    """Make the workspace of publications with an MLflow server in front of its registry."""
    uri = f"http://127.0.0.1:{servers.free_port()}"
    world = World(home, "served", {worlds.TRIAL: "made", "MLFLOW_TRACKING_URI": uri})
    worlds.clear(world)
    with _registry(world):
        worlds.publish_two(world)
    world.keep()
    world.lay_out()
    with _registry(world):
        worlds.publish_undisturbed(world)
    return world


@contextlib.contextmanager
def _registry(world: World) -> Iterator[servers.Server]:
    """Run the server of a world of `make_served`, at its address."""
    port = int(world.variables["MLFLOW_TRACKING_URI"].rpartition(":")[2])
    with servers.mlflow(world.work, f"sqlite:///{world.work}/server.db", port) as server:
        server.wait()
        yield server


def kill_mlflow_in_publish(world: World, draw: random.Random) -> str:
    """Kill the server while a bundle is published; start it again and publish again."""
    world.lay_out()
    after_s = draw.uniform(0.02, 0.98) * world.seconds["publish"]
    with _registry(world) as server:
        process = world.start("pipeline", "publish")
        time.sleep(after_s)
        server.kill()
        code = world.await_exit(process, _RETRIES_S)
        if code not in (0, 2):  # 2: said in a line, without a traceback
            raise WrongError(f"publish exited with {code}: {world.log.read_text()[-1500:]}")
        server.start()
        server.wait()
        left = worlds.walk(world)
        kills.publish_again(world)
    return f"at {after_s:.1f} s, exit {code}, which left {kills.describe(left)}"


def freeze_mlflow_in_publish(world: World, draw: random.Random, seconds: float) -> str:
    """Freeze the server, which then accepts connections and says nothing, and let it go on."""
    world.lay_out()
    after_s = draw.uniform(0.3, 0.9) * world.seconds["publish"]
    with _registry(world) as server:
        process = world.start("pipeline", "publish")
        time.sleep(after_s)
        _freeze(server, seconds)
        code = world.await_exit(process, _RETRIES_S)
        worlds.walk(world)
        kills.publish_again(world)
    return f"for {seconds:.0f} s from {after_s:.1f} s, exit {code}"


def _freeze(server: servers.Server, seconds: float) -> None:
    server.send(signal.SIGSTOP)
    time.sleep(seconds)
    server.send(signal.SIGCONT)


def take_mlflow_from_stage(world: World, draw: random.Random, stage: str, how: str) -> str:
    """Let a stage's server be killed or frozen for good: the stage ends soon, with its results."""
    world.lay_out(without=stage)
    number = signal.SIGKILL if how == "killed" else signal.SIGSTOP
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/server.db"
        with servers.mlflow(Path(folder), database) as server:
            server.wait()
            said = _take(world, draw, stage, server.url, lambda: server.send(number))
    return f"{stage}, server {how} {said}"


def take_postgres_from_stage(world: World, draw: random.Random, stage: str) -> str:
    """Stop the database below MLflow during a stage, for good."""
    world.lay_out(without=stage)
    with _postgres() as database:
        world.run("mlflow", "db", "upgrade", database.uri)
        said = _take(world, draw, stage, database.uri, database.stop)
    return f"{stage}, stopped {said}"


@contextlib.contextmanager
def _postgres() -> Iterator[servers.Postgres]:
    if not servers.has_postgres():
        raise ImpossibleError("PostgreSQL is not installed here")
    with servers.postgres() as database:
        yield database


def _take(world: World, draw: random.Random, stage: str, uri: str, take: Callable[[], None]) -> str:
    """Run a stage, take away what keeps its metrics, and check that it does not need that."""
    after_s = draw.uniform(0.0, 0.9) * world.seconds[stage]
    start = time.monotonic()
    process = world.start("dvc", "repro", "--single-item", stage, MLFLOW_TRACKING_URI=uri)
    time.sleep(after_s)
    take()
    code = world.await_exit(process, _RETRIES_S)
    late_s = time.monotonic() - start - world.seconds[stage]
    printed = world.log.read_text()
    if code:
        raise WrongError(f"{stage} exited with {code}: {printed[-1500:]}")
    worlds.check_results(world)
    lost = "said" if "is not wholly recorded" in printed else "nothing was lost"
    return f"at {after_s:.1f} s; {late_s:+.0f} s; {lost}"


def restart_postgres_in_publish(home: Path, draw: random.Random) -> str:
    """Restart the database below MLflow while a bundle is published to it."""
    with _postgres() as database:
        world = World(home, "databased", {"MLFLOW_TRACKING_URI": database.uri})
        world.variables[worlds.TRIAL] = "made"
        worlds.clear(world)
        worlds.publish_two(world)
        before = worlds.walk(world)
        after_s = draw.uniform(0.3, 0.95) * world.seconds["publish"]
        process = world.start("pipeline", "publish")
        time.sleep(after_s)
        database.restart()
        code = world.await_exit(process, _RETRIES_S)
        worlds.walk(world)
        world.run("pipeline", "publish")
        found = worlds.walk(world)
    if len(found["versions"]) != len(before["versions"]) + 1 or len(found["aliases"]) != 2:
        raise WrongError(f"the registry has {found}")
    return f"at {after_s:.1f} s, exit {code}"


def take_prefect_from_flow(
    world: World, draw: random.Random, stage: str, how: str, seconds: float
) -> str:
    """Kill Prefect's server, or freeze it for a while, during a flow; then run the flow again."""
    world.lay_out(without=stage)
    after_s = draw.uniform(0.2, 0.9) * (world.seconds["flow"] + world.seconds[stage])
    with tempfile.TemporaryDirectory() as folder, servers.prefect(Path(folder)) as server:
        server.wait()
        process = world.start(*worlds.FLOW, PREFECT_API_URL=server.url)
        time.sleep(after_s)
        if how == "killed":
            server.kill()
            time.sleep(seconds)
            server.start()
            server.wait()
        else:
            _freeze(server, seconds)
        code = world.await_exit(process)
        worlds.run_again(world, *worlds.FLOW, PREFECT_API_URL=server.url)
    return f"{stage}, server {how} at {after_s:.1f} s for {seconds:.0f} s, exit {code}"
