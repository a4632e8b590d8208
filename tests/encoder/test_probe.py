"""The probe against what the run that it stands for is."""

import pytest
from toy_model import pretrain_params, toy_plan, toy_start

from pipeline.encoder.probe import probe


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
