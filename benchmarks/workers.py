"""Twelve stages on two workers, on one, and by `dvc repro`: total time, and time to the first.

The machines are those of tests/flows/machines.py: clones without a shared disk, process workers, a
DVC remote that is a folder, one Prefect server, on PostgreSQL as a team's is. A stage only
sleeps, so the rest of the time is the cost of the placement. One stage comes first, then two chains
of five, one for each pool, then one that needs both: at best two workers take 7/12 of one's time.
"""

import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
STAGE_S = 15
POOLS = ("cpu", "gpu")
FIRST, LAST = "begin", "end"
FLOW = "from flows.retrain import retrain; retrain(promote=False, placement='pools')"
_READY_S = 10  # a worker has registered with its pool by then


def graph() -> dict[str, tuple[str, list[str]]]:
    """Return each stage's pool and inputs."""
    chains = {
        f"{pool}{place}": (pool, [f"build/{pool}{place - 1}" if place else f"build/{FIRST}"])
        for pool in POOLS
        for place in range(5)
    }
    last = ("gpu", ["build/cpu4", "build/gpu4"])
    return {FIRST: ("cpu", ["data"]), **chains, LAST: last}


def compare() -> list[str]:
    """Time each; return a Markdown table of seconds."""
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "flows")]
    import servers

    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        api = stack.enter_context(servers.prefect_on_postgres(folder)).url
        rows = {
            "two workers": _time_pools(folder / "two", api, POOLS),
            "one worker for both pools": _time_pools(folder / "one", api, ("one", "one")),
            "`dvc repro`, no Prefect": _time_dvc(folder / "bare"),
        }
    one = rows["one worker for both pools"][0]
    return [
        f"12 stages that sleep {STAGE_S} s each; seconds, of one run",
        "",
        "| | all | of one worker's | until the first stage begins | again, with nothing to do |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {all_s:.0f} | {all_s / one:.2f} | {first_s:.1f} | {again_s:.1f} |"
            for name, (all_s, first_s, again_s) in rows.items()
        ),
    ]


def _time_pools(folder: Path, api: str, clones: tuple[str, str]) -> tuple[float, float, float]:
    """Time the flow with a worker for each pool, in the clones of these names."""
    import machines

    host = _build(folder)
    shared = {"PREFECT_API_URL": api, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    env = machines.environment(host, **shared)
    for pool in ("flow", *POOLS):
        create = ("work-pool", "create", pool, "--type", "process", "--overwrite")
        _call(host, env, "prefect", *create)
    _call(host, env, "prefect", "--no-prompt", "deploy", "--all")
    with contextlib.ExitStack() as workers:
        for pool, name in zip(POOLS, clones, strict=True):
            clone = folder / name if (folder / name).is_dir() else _clone(folder, name)
            own = machines.environment(clone, **shared)
            workers.enter_context(machines.worker(clone, pool, **own))
        time.sleep(_READY_S)
        return _time(host, env, sys.executable, "-c", FLOW)


def _time_dvc(folder: Path) -> tuple[float, float, float]:
    import machines

    host = _build(folder)
    (host / "wait").write_text(str(STAGE_S))
    return _time(host, machines.environment(host), "dvc", "repro", "--quiet")


def _build(folder: Path) -> Path:
    """Make the repository and the flow's clone of it."""
    import machines

    (folder / "remote").mkdir(parents=True)
    origin = machines.build(folder, str(folder / "remote"), graph())
    return machines.clone(origin, "host", with_data=True)


def _clone(folder: Path, name: str) -> Path:
    import machines

    clone = machines.clone(folder / "origin", name)
    (clone / "wait").write_text(str(STAGE_S))
    return clone


def _time(host: Path, env: dict[str, str], *command: str) -> tuple[float, float, float]:
    """Return the seconds of a command, of it until the first stage begins, and of it again."""
    began, wall = time.monotonic(), time.time()
    _call(host, env, *command)
    all_s = time.monotonic() - began
    (first,) = (float(line.split()[2]) for line in _ran(host) if line.startswith(f"{FIRST} "))
    began = time.monotonic()
    _call(host, env, *command)
    assert len(_ran(host)) == len(graph()), "a stage was done twice"
    return all_s, first - wall, time.monotonic() - began


def _ran(host: Path) -> list[str]:
    lines = (host.parent / "ran").read_text().splitlines()
    return [line for line in lines if line.endswith("start")]


def _call(host: Path, env: dict[str, str], *command: str) -> None:
    done = subprocess.run(command, cwd=host, env=env, capture_output=True, text=True, check=False)
    assert not done.returncode, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
