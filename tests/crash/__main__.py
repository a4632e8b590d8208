"""``python -m crash``: crash runs at random moments, run them again, compare the results.

Prints the seed, a line for each trial, and a table. ``make crash`` runs all; see --help for fewer.
"""

import argparse
import functools
import itertools
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crash import accidents, kills, outages, workers
from crash import world as worlds
from crash.world import STAGES, ImpossibleError, World, WrongError


@dataclass
class Worlds:
    """Each world is made when it is first asked for: that takes minutes."""

    home: Path

    @functools.cached_property
    def stages(self) -> World:
        return worlds.made(self.home, worlds.make_stages)

    @functools.cached_property
    def publish(self) -> World:
        return worlds.made(self.home, worlds.make_publish)

    @functools.cached_property
    def served(self) -> World:
        return worlds.made(self.home, outages.make_served)


Trial = Callable[[Worlds, random.Random], str]
_YEAR_DAYS = 400


def _prefect(how: str, seconds: float) -> Trial:
    return lambda w, draw: outages.take_prefect_from_flow(
        w.stages, draw, draw.choice(STAGES), how, seconds
    )


def _mlflow(how: str) -> Trial:
    return lambda w, draw: outages.take_mlflow_from_stage(w.stages, draw, draw.choice(STAGES), how)


def _worker(victim: str) -> Trial:
    return lambda w, draw: workers.kill_worker(w.stages, draw, draw.choice(STAGES), victim)


def _accident(spoil: Callable[[World, random.Random, str], str]) -> Trial:
    return lambda w, draw: spoil(w.stages, draw, draw.choice(STAGES))


def _clock(days: int) -> Trial:
    return lambda w, draw: accidents.jump_clock(w.stages, draw, draw.choice(STAGES), days)


def _clock_in_publish(days: int) -> Trial:
    return lambda w, draw: accidents.jump_clock_in_publish(w.publish, draw, days)


# Random moments of kill -9, by their share of the points asked for.
KILLS: dict[str, tuple[float, Trial]] = {
    "kill publish": (0.3, lambda w, draw: kills.kill_publish(w.publish, draw)),
    "kill the flow": (0.1, lambda w, draw: kills.kill_flow(w.stages, draw, draw.choice(STAGES))),
    "kill MLflow": (0.06, lambda w, draw: outages.kill_mlflow_in_publish(w.served, draw)),
    "kill Prefect": (0.04, _prefect("killed", 3.0)),
}
OTHERS: tuple[tuple[str, Trial], ...] = (
    *(("kill a worker", _worker(victim)) for victim in workers.VICTIMS),
    ("MLflow gone for good", _mlflow("killed")),
    ("MLflow gone for good", _mlflow("frozen")),
    (
        "MLflow frozen",
        lambda w, draw: outages.freeze_mlflow_in_publish(w.served, draw, draw.uniform(5, 60)),
    ),
    ("Prefect frozen", _prefect("frozen", 60.0)),
    (
        "PostgreSQL gone",
        lambda w, draw: outages.take_postgres_from_stage(w.stages, draw, draw.choice(STAGES)),
    ),
    ("PostgreSQL restarted", lambda w, draw: outages.restart_postgres_in_publish(w.home, draw)),
    *(("full disk", _accident(accidents.fill_disk)),) * 3,
    *(("read-only cache", _accident(accidents.forbid_cache)),) * 2,
    *(("spoilt cache object", _accident(accidents.spoil_object)),) * 3,
    *(("cut table of locks", _accident(accidents.cut_lock_table)),) * 2,
    *(("cut dvc.lock", lambda w, draw: accidents.cut_record(w.stages, draw)),) * 2,
    *(("cut checkpoint", lambda w, draw: accidents.cut_checkpoint(w.stages, draw)),) * 2,
    ("clock jump", _clock(_YEAR_DAYS)),
    ("clock jump", _clock(-_YEAR_DAYS)),
    ("clock jump", _clock_in_publish(_YEAR_DAYS)),
    ("clock jump", _clock_in_publish(-_YEAR_DAYS)),
)


def main() -> int:
    parsed = _parser().parse_args()
    print(f"seed {parsed.seed}", flush=True)
    with tempfile.TemporaryDirectory() as made:
        home = (parsed.home or Path(made)).resolve()
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o755)  # PostgreSQL's user must come through
        wanted = [
            each for each in _plan(parsed.points) if not parsed.only or each[0] in parsed.only
        ]
        random.Random(parsed.seed).shuffle(wanted)  # a part of the trials has some of every kind
        chosen = list(enumerate(wanted))[parsed.skip :][: parsed.limit]
        found = Worlds(home)
        results = [_try(kind, trial, found, parsed.seed + n) for n, (kind, trial) in chosen]
    for kind in dict(results):
        outcomes = Counter(outcome for each, outcome in results if each == kind)
        print(f"| {kind} | {outcomes['same']} | {outcomes['WRONG']} | {outcomes['skipped']} |")
    return 1 if any(outcome == "WRONG" for _, outcome in results) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m crash", description=__doc__)
    parser.add_argument("--points", type=int, default=50, help="random moments of kill -9")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", nargs="*", default=[], help="kinds, as the table names them")
    parser.add_argument("--home", type=Path, help="a folder for the worlds, used again if kept")
    parser.add_argument("--skip", type=int, default=0, help="trials of an earlier part")
    parser.add_argument("--limit", type=int, default=None, help="trials of this part")
    return parser


def _plan(points: int) -> Iterator[tuple[str, Trial]]:
    """Yield every trial: half of the points are kills of stages, then the others by their share."""
    rounds = itertools.product(kills.VICTIMS, STAGES)
    for victim, stage in itertools.islice(itertools.cycle(rounds), points // 2):
        yield "kill a stage", functools.partial(_kill_stage, stage, victim)
    for kind, (share, trial) in KILLS.items():
        yield from [(kind, trial)] * max(1, round(share * points))
    yield from OTHERS


def _kill_stage(stage: str, victim: str, w: Worlds, draw: random.Random) -> str:
    return kills.kill_stage(w.stages, draw, stage, victim)


def _try(kind: str, trial: Trial, found: Worlds, seed: int) -> tuple[str, str]:
    start = time.monotonic()
    try:
        said, outcome = trial(found, random.Random(seed)), "same"
    except WrongError as wrong:
        said, outcome = str(wrong), "WRONG"
    except ImpossibleError as why:
        said, outcome = str(why), "skipped"
    except Exception:  # the check itself is at fault; the others go on
        said, outcome = traceback.format_exc(), "WRONG"
    seconds = time.monotonic() - start
    print(f"{outcome:<7} {kind}: {said} [seed {seed}, {seconds:.0f} s]", flush=True)
    return kind, outcome


if __name__ == "__main__":
    sys.exit(main())
