"""Worlds to crash: each is made once, kept as a snapshot, and laid out anew for every trial."""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bundle_factory
import workspace
import yaml

from pipeline import files, reports

TRIAL = "CRASH_TRIAL"  # in the environment of every process of a trial, by which it is found
STAGES = tuple(reports.STAGE_REPORTS)
FLOW = ("flows.retrain", "--no-promote")
NAME = "charter-sentiment"  # as params.yaml has it
ENDED_S = 30.0  # how long a process may outlive the run that it belongs to
BEGUN_S = 120.0  # how long one may take to begin, on a busy machine
_WALK = Path(__file__).with_name("walk.py")


class WrongError(AssertionError):
    """What a crash has left needs a person."""


class ImpossibleError(RuntimeError):
    """This machine does not allow the accident."""


@dataclass
class World:
    """A workspace below ``home``, at one place in all trials: MLflow keeps absolute paths."""

    home: Path
    name: str
    variables: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # of each undisturbed command
    expected: Any = None  # what the undisturbed run has left

    @property
    def work(self) -> Path:
        return self.home / "work"

    @property
    def snapshot(self) -> Path:
        return self.home / f"{self.name}.snapshot"

    def keep(self) -> None:
        """Take the snapshot."""
        shutil.move(self.work, self.snapshot)

    def lay_out(self, without: str = "") -> None:
        """Make the workspace as in the snapshot, a stage of it still to do; name the trial."""
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.snapshot, self.work, symlinks=True)
        self.variables[TRIAL] = uuid.uuid4().hex
        self.log.write_bytes(b"")
        if without:
            forget(self, without)

    def environment(self) -> dict[str, str]:
        own = {"DVC_SITE_CACHE_DIR": str(self.work / ".site"), "PYTHONPATH": str(workspace.ROOT)}
        return {**workspace.environment(self.work), **own, **self.variables}

    @property
    def log(self) -> Path:
        return self.home / "trial.log"

    def start(self, *module: str, **more: str) -> "subprocess.Popen[bytes]":
        """Start ``python -m MODULE ...`` in the workspace; what it prints is added to the log."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=self.work,
                env={**self.environment(), **more},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(
        self, *module: str, codes: tuple[int, ...] = (0,), timeout_s: float = 300, **more: str
    ) -> str:
        """Run ``python -m MODULE ...`` to its end and return what it printed."""
        before = self.log.stat().st_size if self.log.exists() else 0
        code = self.await_exit(self.start(*module, **more), timeout_s)
        printed = self.log.read_bytes()[before:].decode(errors="replace")
        if code not in codes:
            raise WrongError(f"{' '.join(module)} exited with {code}:\n{printed.strip()[-1500:]}")
        return printed

    def await_exit(self, process: "subprocess.Popen[bytes]", timeout_s: float = 300) -> int:
        """Return a process's exit code; one that outlasts the limit hangs, which is wrong."""
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            process.wait()
            raise WrongError(f"{process.args} does not end in {timeout_s:.0f} s") from None

    def processes(self, named: Callable[[list[str]], bool] = lambda _: True) -> list[int]:
        """Return the living processes of this trial whose arguments are as asked."""
        wanted = f"{TRIAL}={self.variables[TRIAL]}".encode()
        return [pid for pid, environ, args in _living() if wanted in environ and named(args)]

    def await_process(self, named: Callable[[list[str]], bool]) -> None:
        """Wait until there is such a process."""
        until = time.monotonic() + BEGUN_S
        while not self.processes(named):
            if time.monotonic() > until:
                raise WrongError("it never began")
            time.sleep(0.02)

    def kill(self, named: Callable[[list[str]], bool] = lambda _: True) -> int:
        """kill -9 those processes; return their number."""
        found = self.processes(named)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(found)

    def await_the_end(self) -> None:
        """Wait until no process of the trial is left; one that stays is wrong."""
        until = time.monotonic() + ENDED_S
        while left := self.processes():
            if time.monotonic() > until:
                args = {pid: " ".join(a) for pid, _, a in _living() if pid in left}
                self.kill()
                raise WrongError(f"left running: {args}")
            time.sleep(0.1)


def _living() -> Iterator[tuple[int, list[bytes], list[str]]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ = (folder / "environ").read_bytes().split(b"\0")
            args = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:  # it has ended meanwhile, or is another user's
            continue
        if args:  # a zombie has none
            yield int(folder.name), environ, args


def is_stage(stage: str) -> Callable[[list[str]], bool]:
    return lambda args: args[1:] == ["-m", "pipeline", stage]


def is_dvc(args: list[str]) -> bool:
    return "dvc" in args[:3] and "repro" in args


def make_stages(home: Path) -> World:
    """Make the tiny workspace, every stage done once."""
    world = World(home, "stages")
    world.variables[TRIAL] = "made"
    workspace.build(world.work)
    for stage in STAGES:
        start = time.monotonic()
        world.run("dvc", "repro", "--single-item", stage)
        world.seconds[stage] = time.monotonic() - start
    world.expected = results(world)
    world.keep()
    world.lay_out()
    start = time.monotonic()
    world.run(*FLOW)
    world.seconds["flow"] = time.monotonic() - start
    return world


def made(home: Path, make: Callable[[Path], World]) -> World:
    """Return what an earlier part has made and kept in ``home``, or make it."""
    kept = home / f"{make.__name__}.json"
    if kept.is_file():
        return World(**{**json.loads(kept.read_text()), "home": home})
    world = make(home)
    kept.write_text(json.dumps({**dataclasses.asdict(world), "home": None}))
    return world


def forget(world: World, stage: str) -> None:
    """Let a stage be as if it had never been run."""
    path = world.work / "dvc.lock"
    lock = yaml.safe_load(path.read_text())
    del lock["stages"][stage]
    path.write_text(yaml.safe_dump(lock, sort_keys=False))
    shutil.rmtree(world.work / "build" / stage)
    for cache in (".charter/checkpoints", ".charter/features", ".dvc/cache/runs"):
        shutil.rmtree(world.work / cache, ignore_errors=True)


def results(world: World) -> dict[str, Any]:
    """Return the digests by which two runs are compared: dvc.lock and every byte of build/."""
    lock = yaml.safe_load((world.work / "dvc.lock").read_text())["stages"]
    return {"lock": lock, "build": files.sha256_tree(world.work / "build")}


def run_again(world: World, *module: str, **more: str) -> None:
    """Run a command, `dvc repro` if none is given: nobody's hand is needed, and nothing differs."""
    world.run(*(module or ("dvc", "repro")), **more)
    check_results(world)


def check_results(world: World) -> None:
    """Compare what is there with the undisturbed run: dvc.lock, every byte, nothing running."""
    world.await_the_end()
    found = results(world)
    for kind, expected in world.expected.items():
        differing = sorted(
            name
            for name in expected.keys() | found[kind].keys()
            if expected.get(name) != found[kind].get(name)
        )
        if differing:
            raise WrongError(f"{kind} differs in {differing[:5]}")


def make_publish(home: Path) -> World:
    """Make a workspace whose registry has a champion, and another bundle to publish."""
    world = World(home, "publish", {TRIAL: "made"})
    clear(world)
    publish_two(world)
    world.keep()
    world.lay_out()
    publish_undisturbed(world)
    return world


def clear(world: World) -> None:
    """Make the workspace empty."""
    shutil.rmtree(world.work, ignore_errors=True)
    world.work.mkdir(parents=True)


def publish_two(world: World) -> None:
    """Publish a bundle, and make another."""
    _bundle(world, seed=0)
    start = time.monotonic()
    world.run("pipeline", "publish")
    world.seconds["publish"] = time.monotonic() - start
    _bundle(world, seed=1)


def publish_undisturbed(world: World) -> None:
    """Publish the other one, and keep what this has left as what is expected."""
    start = time.monotonic()
    world.run("pipeline", "publish")
    world.seconds["publish"] = time.monotonic() - start
    world.expected = walk(world)


def _bundle(world: World, seed: int) -> None:
    """Make a bundle of a tiny model there; its own function reads the working directory."""
    code = f"import bundle_factory; bundle_factory.build({NAME!r}, seed={seed})"
    tests = str(Path(bundle_factory.__file__).parent)
    path = f"{workspace.ROOT}:{tests}"
    environment = {**world.environment(), "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", code], cwd=world.work, env=environment, check=True)


def walk(world: World) -> Any:
    """Verify every version and every alias of the registry; return its versions and aliases."""
    done = subprocess.run(
        [sys.executable, _WALK, NAME],
        cwd=world.work,
        env=world.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WrongError(f"the registry is not whole: {done.stderr.strip()[-1500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def md5(path: Path) -> str:
    """Return the name of a file's object in DVC's cache."""
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
