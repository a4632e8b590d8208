"""A run goes on at any position at once: by no replay of the batches before it."""

import time
from pathlib import Path

import numpy as np
import pytest
from ranked import Onlooker, StoppedError
from toy_model import pretrain_params, toy_plan, toy_start

from pipeline.encoder.batches import Packing, Rows
from pipeline.encoder.pretraining import pretrain

MILLION = 10**6


@pytest.mark.parametrize("step", [2, MILLION])
def test_the_first_step_after_a_load_comes_within_a_second_at_any_position(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint of step 2 is given the name of the millionth; no rows before it are read."""
    params = pretrain_params(tokens=(MILLION + 10) * 64, heldout_every_steps=MILLION)
    with pytest.raises(StoppedError):
        pretrain(toy_start(params), toy_plan(params), tmp_path, Onlooker(stop_after=3))
    (tmp_path / "step-2").rename(tmp_path / f"step-{step}")
    read: list[int] = []
    rows = Packing.rows

    def counted(packing: Packing, numbers: np.ndarray) -> Rows:
        read.append(len(numbers))
        return rows(packing, numbers)

    start, plan, onlooker = toy_start(params), toy_plan(params), Onlooker(stop_after=step + 1)
    monkeypatch.setattr(Packing, "rows", counted)
    began = time.process_time()  # of other processes a test can not know
    with pytest.raises(StoppedError):
        pretrain(start, plan, tmp_path, onlooker)
    assert time.process_time() - began < 1.0
    assert list(onlooker.losses) == [step + 1]
    step_rows = params.batch_sequences
    assert read in ([step_rows], [step_rows] * 2)  # the next step's are read beside it
