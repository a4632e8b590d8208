"""A toy graph of cheap stages, and clones of it that stand for machines without a shared disk."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import servers
import workspace
import yaml

# Writes its inputs' bytes and its name; says in a file outside the clones that it ran.
TOY = """
import os, sys, time
from pathlib import Path

name, *inputs = sys.argv[1:]
found = [file for each in inputs for file in sorted(Path(each).rglob("*")) if file.is_file()]
folder = Path("build", name)
folder.mkdir(parents=True, exist_ok=True)
text = "".join(file.read_text() for file in found)
with open(os.environ["TOY_RAN"], "a") as ran:
    ran.write(f"{name} {Path.cwd().name} {time.time()} start\\n")
meet = Path(os.environ["TOY_RAN"]).with_name("meet")
together = meet.read_text().split() if meet.exists() else []
until = time.monotonic() + 60
while name in together and not all(f"{each} " in Path(ran.name).read_text() for each in together):
    if time.monotonic() > until:
        sys.exit("the other never began")
    time.sleep(0.1)
if Path("wait").exists():
    time.sleep(float(Path("wait").read_text()))
if name == "split":
    from pipeline import params
    from pipeline.adapters import runs
    with runs.stage_run("split", params.load().section("split")) as track:
        track.metrics({"rows": len(text)}, 0)
        track.progress(1, 1, "rows")
(folder / "rows.txt").write_text(text + name + "\\n")
(folder / "report.json").write_text('{"rows": %d}' % len(text))
with open(os.environ["TOY_RAN"], "a") as ran:
    ran.write(f"{name} {Path.cwd().name} {time.time()} end\\n")
"""
GRAPH = {  # name: (pool, inputs)
    "validate": ("cpu", ["data"]),
    "split": ("cpu", ["build/validate"]),
    "tokenise": ("gpu", ["build/validate"]),
    "report": ("gpu", ["build/split", "build/tokenise"]),
}


def stages(graph: dict[str, tuple[str, list[str]]]) -> dict[str, object]:
    return {
        name: {
            "cmd": " ".join(["python toy.py", name, *inputs]),
            "deps": ["toy.py", *inputs],
            "params": [name] if name in ("split", "report") else [],
            "outs": [f"build/{name}"],
            "meta": {"pool": pool},
        }
        for name, (pool, inputs) in graph.items()
    }


def build(folder: Path, remote: str, graph: dict[str, tuple[str, list[str]]]) -> Path:
    """Make the repository that the machines clone, at ``folder``/origin, with its data."""
    origin = folder / "origin"
    origin.mkdir(parents=True)
    for name in ("pipeline", "flows"):
        shutil.copytree(
            workspace.ROOT / name, origin / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("params.yaml", "policy.yaml", "prefect.yaml"):
        shutil.copy(workspace.ROOT / name, origin / name)
    (origin / "toy.py").write_text(TOY)
    (origin / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages(graph)}, sort_keys=False))
    (origin / ".gitignore").write_text("/build\n/data\n/.charter\n__pycache__\n/wait\n/.prefect\n")
    (origin / "data").mkdir()
    (origin / "data" / "rows.txt").write_text("one\n")
    workspace.run(origin, "git", "init", "--quiet")
    for command in (
        ["init", "--quiet"],
        ["remote", "add", "--default", "team", remote],
        ["add", "--quiet", "data"],
    ):
        workspace.run(origin, sys.executable, "-m", "dvc", *command)
    workspace.run(origin, "git", "add", "--all")
    workspace.run(origin, "git", "commit", "--quiet", "--message", "A toy graph")
    return origin


def clone(origin: Path, name: str, *, with_data: bool = False) -> Path:
    """Clone the repository; only the flow's host has its data at first."""
    folder = origin.parent / name
    workspace.run(origin.parent, "git", "clone", "--quiet", str(origin), name)
    if with_data:
        shutil.copytree(origin / "data", folder / "data")
        shutil.copytree(origin / ".dvc" / "cache", folder / ".dvc" / "cache")
    return folder


@contextlib.contextmanager
def worker(folder: Path, pool: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker of a pool in its clone."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--name", pool]
    with servers.process(command, folder, folder.parent / f"{folder.name}.log", **env) as started:
        yield started


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return a machine's environment: its own PREFECT_HOME, what it is told of the servers."""
    return {
        **workspace.environment(folder),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "TOY_RAN": str(folder.parent / "ran"),
        **more,
    }


def ran(folder: Path) -> list[str]:
    """Return `STAGE MACHINE` for each start of a stage, in the order of their starts."""
    log = folder / "ran"
    lines = log.read_text().splitlines() if log.is_file() else []
    return [" ".join(line.split()[:2]) for line in lines if line.endswith("start")]


def starts(folder: Path, stage: str) -> int:
    return sum(line.startswith(f"{stage} ") for line in ran(folder))


def toys(folder: Path) -> list[int]:
    """Return the ids of the processes of stages that run in a clone."""
    return [pid for pid, command in _processes(folder) if "toy.py" in command]


def kill_run(folder: Path) -> None:
    """Kill -9 what a worker has started in its clone, and not the worker."""
    for pid, command in _processes(folder):
        if "worker" not in command:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the ids and commands of the processes that work in a folder."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").resolve() == folder.resolve():
                yield int(process.name), (process / "cmdline").read_text().split("\0")
