"""Reports of the stages that train and score the model."""

from typing import Literal

from pipeline.reports.base import Estimate, Report


class CurvePoint(Report):
    """A step of training."""

    step: int
    tokens: int  # seen so far, padding left out
    loss: float  # nats a masked token, mean since the last point
    learning_rate: float
    heldout_loss: float | None = None  # nats a masked token, at fixed masks


class PretrainReport(Report):
    """Of the stage pretrain."""

    origin: str  # "scratch", or where the weights came from
    architecture: str
    parameters: int
    steps: int
    tokens: int
    uniform_loss: float  # nats: log of the vocabulary's size
    unigram_loss: float  # held-out, of guessing by the tokens' shares of the training corpus
    untrained_loss: float  # held-out, of the same architecture with new weights
    initial_loss: float  # held-out, before the first step
    final_loss: float  # held-out, after the last
    heldout_masked_tokens: int
    curve: tuple[CurvePoint, ...]
    precision: Literal["float32", "bfloat16"]
    device: str
    processes: int = 1  # that shared out each step's batch
    encoder_digest: str  # SHA-256 of the weights, by name


class Rounding(Report):
    """Features in bfloat16 against the same in float32, of texts drawn by hash."""

    texts: int
    difference: float  # the largest; a feature's entries have mean 0 and variance 1
    cosine: float  # the least, of a text's two features


class FeaturesReport(Report):
    """Of the stage features."""

    texts: int
    width: int
    tokens: int
    truncated_texts: int  # longer than max_len_tokens
    pooling: Literal["mean", "cls"]
    max_len_tokens: int
    precision: Literal["float32", "bfloat16"] = "float32"  # of the encoder's products
    rounding: Rounding | None = None  # None: the features are of float32
    encoder_digest: str  # equals PretrainReport.encoder_digest


class FinetunePoint(Report):
    """An epoch: of the head in mode frozen, of the whole model in full. Losses in nats a row."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


class PrivateFit(Report):
    """The differential privacy of the head, of each training row (added or removed)."""

    epsilon: float  # of all epochs, run or not, by Opacus' accountant of Renyi divergences
    delta: float
    clip_norm: float
    noise_multiplier: float  # deviation of the noise over clip_norm
    sample_rate: float  # chance of a row to be in a batch
    steps: int  # counted


class FinetuneReport(Report):
    """Of the stage finetune."""

    mode: Literal["frozen", "full"]
    labels: tuple[str, ...]
    parameters: int  # trained
    best_epoch: int  # by validation loss; of a linear head, the steps to its optimum
    curve: tuple[FinetunePoint, ...]
    gradient_norm: float | None = None  # of a linear head's loss where its fit ended
    threshold: float | None  # on the model's P(labels[1]), two labels only: 0.5, by `logit_shift`
    mitigation: Literal["none", "resample", "reweigh", "augment", "leace"] = "none"
    mitigate_column: str | None = None  # whose groups it treats more alike; augment needs none
    private: PrivateFit | None = None  # None: the head may give its training rows away
    logit_shift: float = 0.0  # added to labels[1]'s logit: makes 0.5 validation's best threshold
    encoder_digest_before: str
    encoder_digest_after: str  # equal in mode frozen


class PairedTest(Report):
    """The model against a rival on the same test rows."""

    rival: str
    difference: Estimate  # of accuracies, model minus rival
    p_value: float | None  # exact McNemar, two-sided
    method: str


class Scores(Report):
    """The scores of one classifier on the test rows."""

    accuracy: Estimate
    macro_f1: Estimate
    roc_auc: Estimate  # macro one-vs-rest beyond two labels
    brier: Estimate
    ece: Estimate
    per_class: dict[str, dict[str, Estimate]]  # label -> precision, recall, f1
    per_group: dict[str, dict[str, Estimate]]  # column -> value -> accuracy
    confusion: tuple[tuple[int, ...], ...]  # rows: true label; columns: predicted


class EvaluateReport(Report):
    """Of the stage evaluate."""

    test_rows: int
    test_digest: str  # equals SplitReport.test.digest
    policy_digest: str  # of policy.yaml, read before any test row
    model: Scores
    baselines: dict[str, Scores]  # majority, tfidf
    better_baseline: str
    versus: dict[str, PairedTest]  # rival -> test
