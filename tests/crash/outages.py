"""Trials in which a server goes away: killed, frozen for a while, or restarted as by a crash."""

import random
import signal
import time
from pathlib import Path

from crash import kills, servers
from crash import world as worlds
from crash.world import World, WrongError

_RETRIES_S = 150.0  # what a client may spend on a server that is not there


def make_served(home: Path) -> World:
    """Make the workspace of publications with an MLflow server in front of its registry."""
    port = servers.free_port()
    uri = f"http://127.0.0.1:{port}"
    world = World(home, "served", {worlds.TRIAL: "made", "MLFLOW_TRACKING_URI": uri})
    world.work.mkdir()
    with servers.mlflow(world.work, port, _backend(world)):
        worlds.publish_two(world)
    world.keep()
    world.lay_out()
    with servers.mlflow(world.work, port, _backend(world)):
        worlds.publish_undisturbed(world)
    return world


def _backend(world: World) -> str:
    return f"sqlite:///{world.work}/server.db"


def _port(world: World) -> int:
    return int(world.variables["MLFLOW_TRACKING_URI"].rpartition(":")[2])


def kill_mlflow_in_publish(world: World, draw: random.Random) -> str:
    """Kill the server while a bundle is published; start it again and publish again."""
    world.lay_out()
    after_s = draw.uniform(0.02, 0.98) * world.seconds["publish"]
    with servers.mlflow(world.work, _port(world), _backend(world)) as server:
        process = world.start("pipeline", "publish")
        time.sleep(after_s)
        server.kill()
        code = servers.await_end(process, _RETRIES_S, "publish")
        if code not in (0, 2):  # 2: said in a line, without a traceback
            raise WrongError(f"publish exited with {code}: {world.log.read_text()[-1500:]}")
        server.start()
        left = worlds.walk(world)
        kills.publish_again(world)
    return f"at {after_s:.1f} s, exit {code}, which left {kills.describe(left)}"


def freeze_mlflow_in_publish(world: World, draw: random.Random, seconds: float) -> str:
    """Freeze the server, which then accepts connections and says nothing, and let it go on."""
    world.lay_out()
    after_s = draw.uniform(0.3, 0.9) * world.seconds["publish"]
    with servers.mlflow(world.work, _port(world), _backend(world)) as server:
        process = world.start("pipeline", "publish")
        time.sleep(after_s)
        server.send(signal.SIGSTOP)
        time.sleep(seconds)
        server.send(signal.SIGCONT)
        code = servers.await_end(process, _RETRIES_S, "publish")
        worlds.walk(world)
        kills.publish_again(world)
    return f"for {seconds:.0f} s from {after_s:.1f} s, exit {code}"


def take_mlflow_from_stage(world: World, draw: random.Random, stage: str, how: str) -> str:
    """Let a stage's server be killed or frozen for good: the stage ends soon, with its results."""
    world.lay_out()
    worlds.forget(world, stage)
    after_s = draw.uniform(0.0, 0.9) * world.seconds[stage]
    port = servers.free_port()
    folder = world.home / "server"
    folder.mkdir(exist_ok=True)
    with servers.mlflow(folder, port, f"sqlite:///{folder}/server.db") as server:
        start = time.monotonic()
        variables = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
        process = world.start("dvc", "repro", "--single-item", stage, **variables)
        time.sleep(after_s)
        server.send(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        code = servers.await_end(process, _RETRIES_S, stage)
        late_s = time.monotonic() - start - world.seconds[stage]
    if code:
        raise WrongError(f"{stage} exited with {code}: {world.log.read_text()[-1500:]}")
    world.await_the_end()
    worlds.check_results(world)
    said = "said" if "is not wholly recorded" in world.log.read_text() else "nothing was lost"
    return f"{stage}, server {how} at {after_s:.1f} s; {late_s:+.0f} s; {said}"


def take_postgres_from_stage(world: World, draw: random.Random, stage: str) -> str:
    """Stop the database below MLflow during a stage, for good."""
    world.lay_out()
    worlds.forget(world, stage)
    with servers.postgres(world.home / "postgres") as database:
        world.run("mlflow", "db", "upgrade", database.uri)
        start = time.monotonic()
        after_s = draw.uniform(0.0, 0.9) * world.seconds[stage]
        process = world.start(
            "dvc", "repro", "--single-item", stage, MLFLOW_TRACKING_URI=database.uri
        )
        time.sleep(after_s)
        database.stop()
        code = servers.await_end(process, _RETRIES_S, stage)
        late_s = time.monotonic() - start - world.seconds[stage]
    if code:
        raise WrongError(f"{stage} exited with {code}: {world.log.read_text()[-1500:]}")
    world.await_the_end()
    worlds.check_results(world)
    return f"{stage}, stopped at {after_s:.1f} s; {late_s:+.0f} s"


def restart_postgres_in_publish(home: Path, draw: random.Random) -> str:
    """Restart the database below MLflow while a bundle is published to it."""
    with servers.postgres(home / "postgres") as database:
        world = World(home, "databased", {"MLFLOW_TRACKING_URI": database.uri})
        world.variables[worlds.TRIAL] = "made"
        worlds.clear(world)
        worlds.publish_two(world)
        digest = worlds.walk(world)
        after_s = draw.uniform(0.3, 0.95) * world.seconds["publish"]
        process = world.start("pipeline", "publish")
        time.sleep(after_s)
        database.restart()
        code = servers.await_end(process, _RETRIES_S, "publish")
        worlds.walk(world)
        world.run("pipeline", "publish")
        found = worlds.walk(world)
    if len(found["versions"]) != len(digest["versions"]) + 1 or len(found["aliases"]) != 2:
        raise WrongError(f"the registry has {found}")
    return f"at {after_s:.1f} s, exit {code}"


def take_prefect_from_flow(
    world: World, draw: random.Random, stage: str, how: str, seconds: float
) -> str:
    """Kill Prefect's server, or freeze it for a while, during a flow; then run the flow again."""
    world.lay_out()
    worlds.forget(world, stage)
    port = servers.free_port()
    folder = world.home / "server"
    folder.mkdir(exist_ok=True)
    variables = {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    after_s = draw.uniform(0.2, 0.9) * (world.seconds["flow"] + world.seconds[stage])
    with servers.prefect(folder, port) as server:
        process = world.start("flows.retrain", "--no-promote", **variables)
        time.sleep(after_s)
        if how == "killed":
            server.kill()
            time.sleep(seconds)
            server.start()
        else:
            server.send(signal.SIGSTOP)
            time.sleep(seconds)
            server.send(signal.SIGCONT)
        code = servers.await_end(process, 240, "the flow")
        world.run("flows.retrain", "--no-promote", **variables)
    world.await_the_end()
    worlds.check_results(world)
    return f"{stage}, server {how} at {after_s:.1f} s for {seconds:.0f} s, exit {code}"
