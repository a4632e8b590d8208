"""The probe against what the run that it stands for is."""

from pathlib import Path
from typing import Any

import pytest
from toy_model import pretrain_params, toy_plan, toy_start

from pipeline.encoder import probe as probes
from pipeline.encoder.probe import probe
from pipeline.encoder.watch import Position, Watch


def test_a_probe_ends_when_its_time_is_over_and_counts_what_it_saw() -> None:
    params = pretrain_params(tokens=10**9)
    start = toy_start(params)
    found = probe(start, toy_plan(params), seconds=0.3)
    assert found.parameters == sum(weights.numel() for weights in start.model.parameters())
    assert 2 <= found.steps < 10**6
    assert found.seconds * found.tokens_per_s == pytest.approx(params.tokens)
    assert found.peak_mib > 50


def test_a_run_shorter_than_the_probe_is_run_to_its_end() -> None:
    params = pretrain_params(tokens=3 * 4 * 16)
    assert probe(toy_start(params), toy_plan(params), seconds=60.0).steps == 3


def test_the_first_step_which_warms_up_is_not_in_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 768 tokens, 64 after 10 s, and 64 a second from then on: 12 s by that rate."""
    now = 0.0

    def train(_: Any, plan: Any, folder: Path, watch: Watch) -> None:
        nonlocal now
        for step, seconds in enumerate((10.0, 1.0, 1.0), 1):
            now += seconds
            watch.step(Position(step, 64 * step), 3.0, 0.1)

    monkeypatch.setattr(probes, "pretrain", train)
    monkeypatch.setattr(probes.time, "perf_counter", lambda: now)
    params = pretrain_params()
    found = probe(toy_start(params), toy_plan(params), seconds=60.0)
    assert (found.first_step_s, found.tokens_per_s, found.seconds) == (10.0, 64.0, 12.0)
