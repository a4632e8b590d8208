"""Runs on the toy in two processes, each of which writes down what it saw.

`multiprocessing` starts the processes anew, so that what they do has to stand in a module.
"""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch.distributed.tensor import DTensor
from toy_model import pretrain_params, toy_plan, toy_start

from pipeline import processes
from pipeline.encoder import ranks
from pipeline.encoder.loss import MaskedLoss
from pipeline.encoder.pretraining import pretrain
from pipeline.encoder.watch import Position
from pipeline.errors import InputError
from pipeline.params import PretrainParams
from pipeline.reports import CurvePoint

BASE: dict[str, Any] = {"layers": 2, "dropout": 0.0, "masking_rate": 0.4, "heldout_every_steps": 4}
RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "micro": {"accumulate": 2},
    "whole-words": {"whole_words": True, "masking_rate_end": 0.1},
    "muon": {"optimiser": "muon"},
    "full": {"sharding": "full"},
    "modernbert-full": {"architecture": "modernbert", "sharding": "full"},
}
STOPPED = {"plain": 7, "full": 7}  # these also stop after so many steps, and leave a checkpoint
RESUMED = ("plain", "full")  # these also go on from the checkpoint of one process
OVERFLOWING = {"learning_rate": 1e12, "warmup_share": 0.0, "checkpoint_every_steps": 1}


class StoppedError(Exception):
    """The run was stopped on purpose."""


class Onlooker:
    """Keeps the losses, and may stop the run after a step."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.losses: dict[int, float] = {}
        self.said: list[str] = []

    def step(self, position: Position, loss: float, _: float) -> None:
        self.losses[position.step] = loss
        if position.step == self.stop_after:
            raise StoppedError

    def point(self, point: CurvePoint) -> None:
        pass

    def say(self, message: str) -> None:
        self.said.append(message)


def params_of(name: str) -> PretrainParams:
    """Return the parameters of one of `RUNS`."""
    return pretrain_params(**(BASE | RUNS[name]))


def train(
    params: PretrainParams, folder: Path, stop_after: int | None = None
) -> tuple[Any, dict[str, Any]]:
    """Train; return the model, and what was seen of the run as JSON."""
    start, onlooker = toy_start(params), Onlooker(stop_after)
    seen: dict[str, Any] = {"error": None}
    try:
        position = pretrain(start, toy_plan(params), folder, onlooker)
        seen["tokens"] = position.tokens
        seen["heldout"] = [point.heldout_loss for point in position.curve]
    except StoppedError:
        pass
    except InputError as error:
        seen["error"] = str(error)
    return start.model, seen | {"losses": onlooker.losses, "said": onlooker.said}


def _count_held() -> dict[str, int]:
    """Return how many numbers of the weights this process holds, for each kind of sharding."""
    held = {}
    kinds: tuple[ranks.Sharding, ...] = ("none", "full")
    for kind in kinds:
        loss = MaskedLoss(toy_start(params_of("full")).model, "float32", by_module=True)
        shares = ranks.spread(loss, ranks.join(), kind).parameters()
        local = (each.to_local() if isinstance(each, DTensor) else each for each in shares)
        held[kind] = sum(each.numel() for each in local)
    return held


def train_all(folder: str) -> int:
    """Do all runs, as one of several processes; write ``NAME.RANK.json`` and the weights."""
    root, rank = Path(folder), processes.rank()
    jobs = [(name, params_of(name), root / name, None) for name in RUNS]
    jobs += [(f"{n}-stopped", params_of(n), root / f"{n}-stopped", s) for n, s in STOPPED.items()]
    jobs += [(f"{n}-resumed", params_of(n), root / f"{n}-resumed", None) for n in RESUMED]
    jobs += [(f"{n}-again", params_of(n), root / f"{n}-again", None) for n in RESUMED]
    jobs += [("overflowing", pretrain_params(**BASE, **OVERFLOWING), root / "overflowing", None)]
    for name, params, checkpoints, stop_after in jobs:
        own = checkpoints if rank == 0 else root / "other-machine"  # no disk is shared
        model, seen = train(params, own, stop_after)
        (root / f"{name}.{rank}.json").write_text(json.dumps(seen))
        weights = {n: w.detach().contiguous() for n, w in model.named_parameters()}
        save_file(weights, root / f"{name}.{rank}.safetensors")
    (root / f"held.{rank}.json").write_text(json.dumps(_count_held()))
    try:
        ranks.check_agreement(f"key of {rank}")
    except InputError as error:
        (root / f"agreement.{rank}").write_text(str(error))
    return 0
