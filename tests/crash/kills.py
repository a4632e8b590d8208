"""Trials that kill: a process, or all of a run's as a power cut does, at a random moment."""

import random
import time

from crash import world as worlds
from crash.world import World, WrongError

VICTIMS = ("stage", "dvc", "all")


def kill_stage(world: World, draw: random.Random, stage: str, victim: str) -> str:
    """Let a stage be still to do, and kill it."""
    world.lay_out(without=stage)
    return kill_and_run_again(world, draw, stage, victim)


def kill_and_run_again(world: World, draw: random.Random, stage: str, victim: str) -> str:
    """Kill a stage, its DVC, or both with every helper; then let DVC run it again at once.

    Where the stage has ended before that moment, it is done again and killed in half the time.
    """
    named = {"stage": worlds.is_stage(stage), "dvc": worlds.is_dvc, "all": lambda _: True}[victim]
    within_s = 0.9 * world.seconds[stage]
    killed = 0
    while not killed:
        process = world.start("dvc", "repro", "--single-item", stage)
        world.await_process(named)
        after_s = draw.uniform(0.0, within_s)
        time.sleep(after_s)
        killed = world.kill(named)
        process.wait()  # or it is a zombie, which DVC takes for alive
        if not killed:
            worlds.check_results(world)
            worlds.forget(world, stage)
            within_s /= 2
    worlds.run_again(world)
    return f"{stage}, {victim} at {after_s:.1f} s ({killed} killed)"


def kill_publish(world: World, draw: random.Random) -> str:
    """Kill a publication; the registry is whole before the next one, and right after it."""
    after_s = _kill_alone(world, draw, "", world.seconds["publish"], "pipeline", "publish")
    left = worlds.walk(world)
    publish_again(world)
    return f"at {after_s:.1f} s, which left {describe(left)}"


def _kill_alone(
    world: World, draw: random.Random, without: str, within_s: float, *module: str
) -> float:
    """Kill one command's process alone; return the seconds it had.

    Where it has ended before that moment, it is done anew and killed in half the time.
    """
    while True:
        world.lay_out(without)
        after_s = draw.uniform(0.02, 0.98) * within_s
        process = world.start(*module)
        time.sleep(after_s)
        if process.poll() is None:
            process.kill()
            process.wait()
            return after_s
        if process.returncode:
            raise WrongError(f"{' '.join(module)} exited with {process.returncode}")
        within_s /= 2


def publish_again(world: World) -> None:
    """Publish, and compare the registry with that of an undisturbed publication."""
    world.run("pipeline", "publish")
    world.await_the_end()
    found = worlds.walk(world)
    if found != world.expected:
        raise WrongError(f"the registry has {found}, not {world.expected}")


def describe(walked: dict[str, object]) -> str:
    versions, aliases = walked["versions"], walked["aliases"]
    return f"{len(versions)} versions, {len(aliases)} aliases"  # type: ignore[arg-type]


def kill_flow(world: World, draw: random.Random, stage: str) -> str:
    """Kill the flow alone: DVC and the stage, in a session of their own, know nothing of it."""
    within_s = world.seconds["flow"] + world.seconds[stage]
    after_s = _kill_alone(world, draw, stage, within_s, *worlds.FLOW)
    worlds.run_again(world, *worlds.FLOW)
    return f"with {stage} to do, at {after_s:.1f} s"
