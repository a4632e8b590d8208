"""A head that memorises is found by its shadows; the same head on rows it never saw is not."""

import numpy as np
import pytest
import torch
from toy_labels import finetune_params

from pipeline.encoder.fitting import Sample, fit_head
from pipeline.encoder.private import fit_chosen_head
from pipeline.encoder.shadows import fit_shadows
from pipeline.measure.intervals import Bootstrap
from pipeline.measure.membership import (
    confidence,
    draw_halves,
    judge_membership,
    likelihood_ratios,
)
from pipeline.params import FinetuneParams
from pipeline.reports import Membership

ROWS, WIDTH = 400, 1000  # so wide that a row's label is known by heart after a step or two
PARAMS = finetune_params(l2=0.0, learning_rate=0.003, epochs=10, patience_epochs=10, batch_rows=100)


def draw_sample(seed: int, rows: int = ROWS) -> Sample:
    """Rows of which a quarter of the labels are wrong: they can only be known by heart."""
    make = torch.Generator().manual_seed(seed)
    features = torch.randn(rows, WIDTH, generator=make)
    wrong = torch.rand(rows, generator=make) < 0.25
    return Sample(features, ((features[:, 0] > 0) ^ wrong).long())


def attack(pool: Sample, target: Sample, params: FinetuneParams = PARAMS) -> Membership:
    """Fit a head on ``target`` and ask which rows of the pool's first half it learnt."""
    validation = draw_sample(9, rows=200)
    head, _ = fit_chosen_head(target, validation, 2, params, lambda _: None)
    labels, learnt = pool.labels.numpy(), draw_halves(16, ROWS, 1)
    shadows = fit_shadows(pool, validation, 2, learnt, params, progress=lambda *_: None)
    with torch.no_grad():
        own = confidence(head(pool.features).numpy(), labels)
    ratios = likelihood_ratios(own, confidence(shadows, labels), learnt)
    return judge_membership(ratios, np.arange(ROWS) < ROWS // 2, learnt, Bootstrap(0.95, 500, 1))


def test_a_head_that_memorises_is_found_and_one_that_never_saw_the_rows_is_not() -> None:
    pool, others = draw_sample(1), draw_sample(2)
    half = Sample(pool.features[: ROWS // 2], pool.labels[: ROWS // 2])
    leak, none = attack(pool, half), attack(pool, Sample(others.features, others.labels))
    assert leak.true_positive_rate.low > 0.01
    assert leak.auc.low > 0.6
    assert none.true_positive_rate.low <= 0.01
    assert none.auc.low < 0.5 < none.auc.high


def test_a_shadow_is_fitted_to_its_rows_alone_and_asked_of_all() -> None:
    pool, validation, learnt = draw_sample(1), draw_sample(9), draw_halves(4, ROWS, 2)
    told: list[tuple[int, int]] = []
    logits = fit_shadows(
        *(pool, validation, 2, learnt, PARAMS), progress=lambda *done: told.append(done)
    )
    assert logits.shape == (4, ROWS, 2)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    rows = torch.from_numpy(learnt[2])
    seeded = PARAMS.model_copy(update={"seed": PARAMS.seed + 3})
    sample = Sample(pool.features[rows], pool.labels[rows])
    head, _ = fit_head(sample, validation, 2, seeded, lambda _: None)
    with torch.no_grad():
        assert logits[2] == pytest.approx(head(pool.features).numpy())
