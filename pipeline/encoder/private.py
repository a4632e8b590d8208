"""The head fitted with differential privacy for each training row: DP-SGD by Opacus.

Abadi et al. 2016, "Deep Learning with Differential Privacy", algorithm 1, with Adam's step: each
row's gradient is clipped to a norm, and noise is added to their sum. The guarantee covers one row
of the training part, its text and label, being added or removed. It does not cover validation rows,
which end the training and set the threshold, nor the text that the encoder was trained on.
"""

import functools
import math
import secrets
import warnings
from typing import Any

import torch
from torch import nn

from pipeline.encoder.fitting import (
    Best,
    OnEpoch,
    Sample,
    fit_head,
    judge,
    keep_best,
    new_head,
    one_thread,
)
from pipeline.encoder.head import Head
from pipeline.errors import InputError
from pipeline.params import FinetuneParams, FrozenParams, PrivateParams
from pipeline.reports import FinetunePoint, PrivateFit


def fit_chosen_head(
    train: Sample, validation: Sample, labels: int, params: FinetuneParams, on_epoch: OnEpoch
) -> tuple[Head, Best]:
    """Fit a head privately where ``params.frozen.private`` asks for it, else as `fit_head` does."""
    fit = fit_private_head if params.frozen.private else fit_head
    return fit(train, validation, labels, params, on_epoch)


@functools.cache  # the search takes seconds; heads of as many rows share it
def plan_noise(rows: int, frozen: FrozenParams, private: PrivateParams) -> PrivateFit:
    """Return the noise that keeps all epochs within the privacy budget, and the epsilon they spend.

    Batches are Poisson samples: each row is in a batch with probability ``batch_rows / rows``. The
    accountant is Opacus' for Renyi divergences (Mironov, Talwar and Zhang 2019, section 3.3). It
    counts every epoch, even those that early stopping skips: when it stops depends on the rows, so
    a smaller count would need a proof of its own.
    """
    if frozen.batch_rows > rows:
        raise InputError(
            f"finetune.frozen.batch_rows: {frozen.batch_rows} is more than the {rows} training rows"
        )
    from opacus.accountants.utils import get_noise_multiplier

    rate = frozen.batch_rows / rows
    steps = frozen.epochs * math.ceil(rows / frozen.batch_rows)
    with warnings.catch_warnings(
        action="ignore"
    ):  # about too few orders for the first noise it tries
        noise = get_noise_multiplier(
            target_epsilon=private.epsilon,
            target_delta=private.delta,
            sample_rate=rate,
            steps=steps,
        )
    return PrivateFit(
        epsilon=spent(noise, rate, steps, private.delta),
        delta=private.delta,
        clip_norm=private.clip_norm,
        noise_multiplier=noise,
        sample_rate=rate,
        steps=steps,
    )


def spent(noise_multiplier: float, sample_rate: float, steps: int, delta: float) -> float:
    """Return the epsilon of so many steps of the sampled Gaussian mechanism, by Opacus."""
    from opacus.accountants import RDPAccountant

    accountant = RDPAccountant()
    accountant.history = [(noise_multiplier, sample_rate, steps)]
    return float(accountant.get_epsilon(delta))


def fit_private_head(
    train: Sample,
    validation: Sample,
    labels: int,
    params: FinetuneParams,
    on_epoch: OnEpoch,
) -> tuple[Head, Best]:
    """Minimise the same loss as `fit_head`, by private steps with the noise of `plan_noise`.

    Batches and noise come from the operating system's randomness and not from ``params.seed``,
    which is published with the bundle: whoever knows the seed could remove the noise. So two fits
    differ. torch's generator is not cryptographic, and floats have known attacks (Mironov 2012).
    """
    frozen, private = params.frozen, params.frozen.private
    assert private is not None
    plan = plan_noise(len(train.labels), frozen, private)
    head = new_head(train.features.shape[1], frozen.hidden, labels, params.seed)
    stepper = _Stepper(head, frozen, plan, torch.Generator().manual_seed(secrets.randbits(63)))
    even = torch.ones(labels)

    def run_epoch(epoch: int) -> FinetunePoint:
        steps = plan.steps // frozen.epochs
        loss = sum(stepper.step(train) for _ in range(steps)) / steps
        with torch.no_grad():
            logits = head(validation.features)
        return judge(epoch, loss, logits, validation.labels, even)

    with one_thread():
        best = keep_best(head, frozen.epochs, frozen.patience_epochs, run_epoch, on_epoch)
    stepper.detach()
    return head, best


class _Stepper:
    """Opacus around a head: one private step at a time."""

    def __init__(
        self, head: Head, frozen: FrozenParams, plan: PrivateFit, random: torch.Generator
    ) -> None:
        from opacus.grad_sample import GradSampleModuleFastGradientClipping
        from opacus.optimizers import DPOptimizerFastGradientClipping
        from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

        self._rate, self._random = plan.sample_rate, random
        self._model = GradSampleModuleFastGradientClipping(head, max_grad_norm=plan.clip_norm)
        self._optimiser = DPOptimizerFastGradientClipping(
            torch.optim.Adam(_penalised(head, frozen.l2), lr=frozen.learning_rate),
            noise_multiplier=plan.noise_multiplier,
            max_grad_norm=plan.clip_norm,
            expected_batch_size=frozen.batch_rows,
            generator=random,
        )
        self._loss: Any = DPLossFastGradientClipping(
            self._model, self._optimiser, nn.CrossEntropyLoss()
        )

    def step(self, train: Sample) -> float:
        """Take a step on a Poisson sample of the rows; return its mean loss before the step."""
        drawn = torch.rand(len(train.labels), generator=self._random) < self._rate
        self._optimiser.zero_grad()
        features = train.features[drawn].requires_grad_()  # for torch's hooks; unused
        loss = self._loss(self._model(features), train.labels[drawn])
        loss.backward()
        self._optimiser.step()
        return float(loss.item())

    def detach(self) -> None:
        """Leave the head as a plain module."""
        self._model.to_standard_module()


def _penalised(head: Head, l2: float) -> list[dict[str, Any]]:
    """Return the parameters in groups; weights have the penalty's gradient, which uses no row."""
    weights = [each for each in head.parameters() if each.dim() == 2]
    biases = [each for each in head.parameters() if each.dim() != 2]
    return [{"params": weights, "weight_decay": l2}, {"params": biases, "weight_decay": 0.0}]
