"""``python -m crash``: crash runs at random moments, run them again, compare the results.

Prints the seed, a line for each trial, and a table. ``make crash`` runs all; see --help for fewer.
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from crash import accidents, kills, outages
from crash import world as worlds
from crash.accidents import ImpossibleError
from crash.world import STAGES, World, WrongError

Trial = Callable[[random.Random], str]
_SHARES = {"stage": 0.5, "publish": 0.3, "flow": 0.1, "mlflow server": 0.06, "prefect server": 0.04}
_YEAR_DAYS = 400


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m crash", description=__doc__)
    parser.add_argument("--points", type=int, default=50, help="random moments of kill -9")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", nargs="*", default=[], help="kinds, as the table names them")
    parser.add_argument("--home", type=Path, help="a folder for the worlds, used again if kept")
    parser.add_argument("--skip", type=int, default=0, help="trials of an earlier part")
    parser.add_argument("--limit", type=int, default=None, help="trials of this part")
    parsed = parser.parse_args()
    print(f"seed {parsed.seed}", flush=True)
    with tempfile.TemporaryDirectory() as made:
        home = (parsed.home or Path(made)).resolve()
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o755)  # PostgreSQL's user must come through
        wanted = [each for each in _plan(home, parsed.points) if _is_asked(each[0], parsed.only)]
        end = None if parsed.limit is None else parsed.skip + parsed.limit
        chosen = list(enumerate(wanted))[parsed.skip : end]
        results = [_try(kind, trial, parsed.seed + n) for n, (kind, trial) in chosen]
    for kind in dict(results):
        outcomes = Counter(outcome for each, outcome in results if each == kind)
        print(f"| {kind} | {outcomes['same']} | {outcomes['WRONG']} | {outcomes['skipped']} |")
    return 1 if any(outcome == "WRONG" for _, outcome in results) else 0


def _is_asked(kind: str, only: list[str]) -> bool:
    return not only or kind in only


def _try(kind: str, trial: Trial, seed: int) -> tuple[str, str]:
    start = time.monotonic()
    try:
        said, outcome = trial(random.Random(seed)), "same"
    except WrongError as wrong:
        said, outcome = str(wrong), "WRONG"
    except ImpossibleError as why:
        said, outcome = str(why), "skipped"
    seconds = time.monotonic() - start
    print(f"{outcome:<7} {kind}: {said} [seed {seed}, {seconds:.0f} s]", flush=True)
    return kind, outcome


def _plan(home: Path, points: int) -> Iterator[tuple[str, Trial]]:
    """Yield every trial: the random kills by their shares, then each accident."""
    stages, publish = _lazily(worlds.make_stages, home), _lazily(worlds.make_publish, home)
    served = _lazily(outages.make_served, home)
    counts = {kind: max(1, round(share * points)) for kind, share in _SHARES.items()}
    rounds = itertools.product(kills.VICTIMS, STAGES)
    for victim, stage in itertools.islice(itertools.cycle(rounds), counts["stage"]):
        yield "kill a stage", lambda draw, v=victim, s=stage: kills.kill_stage(stages(), draw, s, v)
    for _ in range(counts["publish"]):
        yield "kill publish", lambda draw: kills.kill_publish(publish(), draw)
    for _ in range(counts["flow"]):
        yield "kill the flow", lambda draw: kills.kill_flow(stages(), draw, draw.choice(STAGES))
    for _ in range(counts["mlflow server"]):
        yield "kill MLflow", lambda draw: outages.kill_mlflow_in_publish(served(), draw)
    for _ in range(counts["prefect server"]):
        yield "kill Prefect", partial(_prefect, stages, "killed", 3.0)
    yield from _outages(home, stages, served)
    yield from _accidents(stages, publish)


def _outages(
    home: Path, stages: Callable[[], World], served: Callable[[], World]
) -> Iterator[tuple[str, Trial]]:
    for how in ("killed", "frozen"):
        yield (
            "MLflow gone for good",
            lambda draw, h=how: outages.take_mlflow_from_stage(
                stages(), draw, draw.choice(STAGES), h
            ),
        )
    yield (
        "MLflow frozen",
        lambda draw: outages.freeze_mlflow_in_publish(served(), draw, draw.uniform(5, 60)),
    )
    yield "Prefect frozen", partial(_prefect, stages, "frozen", 60.0)
    yield (
        "PostgreSQL gone",
        lambda draw: outages.take_postgres_from_stage(
            stages(), draw, draw.choice(STAGES), home / "postgres"
        ),
    )
    yield "PostgreSQL restarted", lambda draw: outages.restart_postgres_in_publish(home, draw)


def _prefect(stages: Callable[[], World], how: str, seconds: float, draw: random.Random) -> str:
    return outages.take_prefect_from_flow(stages(), draw, draw.choice(STAGES), how, seconds)


def _accidents(
    stages: Callable[[], World], publish: Callable[[], World]
) -> Iterator[tuple[str, Trial]]:
    for name, accident in (
        ("full disk", accidents.fill_disk),
        ("read-only cache", accidents.forbid_cache),
        ("spoilt cache object", accidents.spoil_object),
        ("cut table of locks", accidents.cut_lock_table),
    ):
        for _ in range(2):
            yield name, lambda draw, a=accident: a(stages(), draw, draw.choice(STAGES))
    yield "cut checkpoint", lambda draw: accidents.cut_checkpoint(stages(), draw)
    for days in (_YEAR_DAYS, -_YEAR_DAYS):
        yield (
            "clock jump",
            lambda draw, d=days: accidents.jump_clock(stages(), draw, draw.choice(STAGES), d),
        )
        yield "clock jump", lambda draw, d=days: accidents.jump_clock_in_publish(publish(), draw, d)


def _lazily(make: Callable[[Path], World], home: Path) -> Callable[[], World]:
    """Return a world when it is first asked for: it takes minutes to make."""
    made: list[World] = []

    def get() -> World:
        if not made:
            made.append(worlds.made(home, make))
        return made[0]

    return get


if __name__ == "__main__":
    sys.exit(main())
