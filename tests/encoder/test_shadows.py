"""A head that memorises is found by its shadows; the same head on rows it never saw is not."""

import numpy as np
import pytest
import torch
from toy_labels import finetune_params

from pipeline.encoder.fitting import Sample, fit_head
from pipeline.encoder.mitigation import METHODS, Material, fit_mitigated
from pipeline.encoder.private import fit_chosen_head
from pipeline.encoder.shadows import batch_rows, fit_shadows
from pipeline.measure.intervals import Bootstrap
from pipeline.measure.membership import (
    confidence,
    draw_halves,
    judge_membership,
    likelihood_ratios,
)
from pipeline.params import FinetuneParams, MitigationMethod
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
    material = Material(pool, validation, None, None)
    shadows = fit_shadows(material, 2, learnt, params, progress=lambda *_: None)
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
    material = Material(pool, validation, None, None)
    logits = fit_shadows(material, 2, learnt, PARAMS, progress=lambda *done: told.append(done))
    assert logits.shape == (4, ROWS, 2)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    rows = torch.from_numpy(learnt[2])
    seeded = PARAMS.model_copy(update={"seed": PARAMS.seed + 3})
    sample = Sample(pool.features[rows], pool.labels[rows])
    head, _ = fit_head(sample, validation, 2, seeded, lambda _: None)
    with torch.no_grad():
        assert logits[2] == pytest.approx(head(pool.features).numpy())


def mitigated_pool() -> Material:
    """A group that is in few rows, most of them of label 1; of every third text a swapped one."""
    pool, groups = draw_sample(1), np.where(np.arange(ROWS) % 4 == 0, "b", "a")
    pool.labels[::8] = 1
    swapped = np.arange(0, ROWS, 3)
    turned = pool.at(torch.from_numpy(swapped))
    turned = turned._replace(features=turned.features.flip(1))
    return Material(pool, draw_sample(9), groups, turned, swapped)


@pytest.mark.parametrize("method", METHODS)
def test_a_shadow_is_mitigated_as_the_head_is(method: MitigationMethod) -> None:
    """Against a head fitted to the rows of one shadow, with their groups and swapped texts."""
    pool, learnt = mitigated_pool(), draw_halves(4, ROWS, 2)
    none = finetune_params(
        l2=0.1
    )  # without a penalty it would know every row by heart all the same
    params = none.model_copy(update={"mitigation": method, "mitigate_column": "group"})
    logits = fit_shadows(pool, 2, learnt, params, progress=lambda *_: None)[1]
    assert pool.groups is not None
    assert pool.swapped is not None
    rows, own = torch.from_numpy(learnt[1]), [row for row in range(0, ROWS, 3) if learnt[1][row]]
    theirs = Material(
        Sample(pool.train.features[rows], pool.train.labels[rows]),
        pool.validation,
        pool.groups[learnt[1]],
        pool.swapped.at(torch.tensor(own) // 3),
    )
    seeded = params.model_copy(update={"seed": params.seed + 2})
    fitted = fit_mitigated(method, theirs, 2, seeded, lambda _: None)
    with torch.no_grad():
        expected = fitted.head(pool.train.features).numpy()
    expected[:, 1] -= fitted.logit_shift
    assert logits == pytest.approx(expected, abs=1e-5)
    plain = fit_shadows(pool, 2, learnt, none, progress=lambda *_: None)[1]
    assert (np.abs(logits - plain).max() > 0.01) == (method != "none")


def test_some_rows_of_a_material_take_their_groups_and_swapped_texts_along() -> None:
    pool, rows = mitigated_pool(), np.arange(ROWS) % 2 == 1
    some = pool.at(rows)
    assert some.groups is not None
    assert some.swapped is not None
    assert some.swapped_of is not None
    assert torch.equal(some.swapped.features, some.train.features[some.swapped_of].flip(1))
    assert torch.equal(some.swapped.labels, some.train.labels[some.swapped_of])
    assert len(some.swapped_of) == sum(row % 3 == 0 for row in range(1, ROWS, 2))
    again = some.at(np.arange(ROWS // 2) < 50)
    assert again.swapped is not None
    assert again.swapped_of is not None
    assert torch.equal(again.swapped.features, again.train.features[again.swapped_of].flip(1))


def test_shadows_of_a_private_head_draw_batches_of_no_more_rows_than_they_learn() -> None:
    """With the batch of the head, the plan of the noise would have no chance of a row for it."""
    budget = {"epsilon": 8.0, "delta": 1e-5, "clip_norm": 1.0}
    private = finetune_params(batch_rows=1024, epochs=2, private=budget)
    assert [batch_rows(private, rows) for rows in (200, 1024, 5000)] == [200, 1024, 1024]
    assert batch_rows(finetune_params(batch_rows=1024), 200) == 1024
    material = Material(draw_sample(1), draw_sample(9), None, None)
    learnt = draw_halves(4, ROWS, 1)
    logits = fit_shadows(material, 2, learnt, private, progress=lambda *_: None)
    assert np.isfinite(logits).all()
