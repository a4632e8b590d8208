"""Reports of the stages that train and score the model."""

from typing import Literal

from pipeline.reports.base import Estimate, Report


class CurvePoint(Report):
    """A step of training."""

    step: int
    tokens: int  # so far, without padding
    loss: float  # nats per masked token, mean since the last point
    learning_rate: float
    heldout_loss: float | None = None  # nats per masked token, with fixed masks


class PretrainReport(Report):
    """The report of the stage pretrain."""

    origin: str  # "scratch", or where the weights came from
    architecture: str
    parameters: int
    steps: int
    tokens: int
    uniform_loss: float  # nats: log of the vocabulary's size
    unigram_loss: float  # held-out, of guessing by token frequencies in the training corpus
    untrained_loss: float  # held-out, of the same architecture with new weights
    initial_loss: float  # held-out, before the first step
    final_loss: float  # held-out, after the last
    heldout_masked_tokens: int
    curve: tuple[CurvePoint, ...]
    precision: Literal["float32", "bfloat16"]
    device: str
    processes: int = 1  # that shared each step's batch
    encoder_digest: str  # SHA-256 of the weights, by name


class Rounding(Report):
    """Features in bfloat16 compared with float32, on texts drawn by hash."""

    texts: int
    difference: float  # the largest; a feature's entries have mean 0 and variance 1
    cosine: float  # the smallest between a text's two features


class FeaturesReport(Report):
    """The report of the stage features."""

    texts: int
    width: int
    tokens: int
    truncated_texts: int  # longer than max_len_tokens
    pooling: Literal["mean", "cls"]
    max_len_tokens: int
    precision: Literal["float32", "bfloat16"] = "float32"  # of the encoder's matrix products
    rounding: Rounding | None = None  # None: the features are in float32
    encoder_digest: str  # equals PretrainReport.encoder_digest


class FinetunePoint(Report):
    """An epoch of the head (mode frozen) or the whole model (full). Losses in nats per row."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


class PrivateFit(Report):
    """The head's differential privacy for one training row, added or removed."""

    epsilon: float  # for all epochs, run or not, by Opacus' Renyi accountant
    delta: float
    clip_norm: float
    noise_multiplier: float  # standard deviation of the noise / clip_norm
    sample_rate: float  # probability that a row is in a batch
    steps: int  # that the accountant counted


class FinetuneReport(Report):
    """The report of the stage finetune."""

    mode: Literal["frozen", "full"]
    labels: tuple[str, ...]
    parameters: int  # that were trained
    best_epoch: int  # by validation loss; of a linear head, the steps to its optimum
    curve: tuple[FinetunePoint, ...]
    gradient_norm: float | None = None  # of a linear head's loss at the end of the fit
    threshold: float | None  # on the model's P(labels[1]), two labels only: 0.5, by `logit_shift`
    mitigation: Literal["none", "resample", "reweigh", "augment", "leace"] = "none"
    mitigate_column: str | None = None  # the groups to treat alike; augment needs none
    private: PrivateFit | None = None  # None: no privacy is guaranteed
    logit_shift: float = 0.0  # added to labels[1]'s logit, so that 0.5 is the threshold
    encoder_digest_before: str
    encoder_digest_after: str  # equal in mode frozen


class PairedTest(Report):
    """The model compared with a rival on the same test rows."""

    rival: str
    difference: Estimate  # of accuracies, model minus rival
    p_value: float | None  # exact McNemar, two-sided
    method: str


class Scores(Report):
    """The scores of one classifier on the test rows."""

    accuracy: Estimate
    macro_f1: Estimate
    roc_auc: Estimate  # macro one-vs-rest with three labels or more
    brier: Estimate
    ece: Estimate
    per_class: dict[str, dict[str, Estimate]]  # label -> precision, recall, f1
    per_group: dict[str, dict[str, Estimate]]  # column -> value -> accuracy
    confusion: tuple[tuple[int, ...], ...]  # rows: true label; columns: predicted


class EvaluateReport(Report):
    """The report of the stage evaluate."""

    test_rows: int
    test_digest: str  # equals SplitReport.test.digest
    policy_digest: str  # of policy.yaml, read before any test row
    model: Scores
    baselines: dict[str, Scores]  # majority, tfidf
    better_baseline: str
    versus: dict[str, PairedTest]  # rival -> test
