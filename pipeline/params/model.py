"""The sections of params.yaml on the encoder and its head."""

from typing import Any, Literal

import pydantic

from pipeline.params import scale
from pipeline.params.base import Section, Seed

AskedPrecision = Literal["auto", "float32", "bfloat16"]
MitigationMethod = Literal["none", "resample", "reweigh", "augment", "leace"]

_LEAST_POISSON_ROWS = 32  # a Poisson batch of this mean is empty once in 10^14


class PretrainParams(Section):
    """Masked-language-model pretraining, from scratch or continued."""

    init: str  # "scratch", or a model directory or hub id to continue from
    architecture: Literal["bert", "modernbert"] = "bert"  # from scratch
    layers: int = pydantic.Field(gt=0)  # from scratch
    hidden: int = pydantic.Field(gt=0)  # width, from scratch; heads are 64 wide
    seq_len_tokens: int = pydantic.Field(ge=8)
    batch_sequences: int = pydantic.Field(gt=0)  # sequences an optimiser step; auto: by the size
    accumulate: int = pydantic.Field(gt=0)  # micro-batches an optimiser step
    processes: int = pydantic.Field(1, gt=0)  # that the stage starts here, one a GPU
    precision: AskedPrecision = "auto"  # auto: the device's best
    compile: bool = False  # by torch.compile: `pretrain --estimate` says from what length it pays
    gradient_checkpointing: bool = False  # layers are computed again in the backward pass: memory
    sharding: Literal["none", "full"] = "none"  # full: each holds its part of the weights (FSDP)
    tokens: int = pydantic.Field(ge=0)  # training tokens in all; 0 keeps the initial weights
    masking_rate: float = pydantic.Field(gt=0, lt=1)  # of a row's ordinary tokens, at the start
    masking_rate_end: float | None = pydantic.Field(None, gt=0, lt=1)  # null: the same all along
    whole_words: bool = False  # a word's tokens are masked together
    optimiser: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = pydantic.Field(gt=0)  # at its peak; auto: by the size
    head_learning_rate: float = pydantic.Field(gt=0)  # of an MLM head made new
    warmup_share: float = pydantic.Field(ge=0, lt=1)  # of the steps
    weight_decay: float = pydantic.Field(ge=0)
    clip_norm: float = pydantic.Field(gt=0)
    dropout: float = pydantic.Field(ge=0, lt=1)
    heldout_sequences: int = pydantic.Field(gt=0)  # for the held-out loss, at fixed masks
    heldout_every_steps: int = pydantic.Field(gt=0)
    checkpoint_every_steps: int = pydantic.Field(gt=0)
    seed: Seed

    @pydantic.model_validator(mode="before")
    @classmethod
    def _auto_is_settled(cls, raw: Any) -> Any:
        return scale.settle(raw) if isinstance(raw, dict) else raw

    @pydantic.model_validator(mode="after")
    def _muon_needs_whole_matrices(self) -> "PretrainParams":
        if self.optimiser == "muon" and self.sharding == "full":
            raise ValueError(
                "optimiser muon needs whole matrices; set sharding: none, or optimiser: adamw"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _compiles_the_whole_step(self) -> "PretrainParams":
        if self.compile and (self.sharding == "full" or self.gradient_checkpointing):
            raise ValueError(
                "compile takes the loss as one graph; set sharding: none and "
                "gradient_checkpointing: false, or compile: false"
            )
        if self.compile and self.masking_rate_end is not None:
            raise ValueError(
                "compile takes the loss as one graph of fixed shapes, and a rate that changes asks "
                "at other numbers of places; set masking_rate_end: null, or compile: false"
            )
        return self


class CompressParams(Section):
    """A smaller encoder in the place of the pretrained one, which teaches it; BERT's only."""

    method: Literal["none", "distil", "prune"] = "none"
    layers: int = pydantic.Field(3, gt=0)  # of distil: so many of the teacher's are kept
    ffn_share: float = pydantic.Field(0.5, gt=0, lt=1)  # of prune: feed-forward units kept
    importance_batches: int = pydantic.Field(16, gt=0)  # of prune: that the units are judged by
    tokens: int = pydantic.Field(131072, ge=0)  # learnt from the teacher; 0: as it was cut
    temperature: float = pydantic.Field(2.0, gt=0)  # of the teacher's softened guesses
    learning_rate: float = pydantic.Field(2e-4, gt=0)


class FeaturesParams(Section):
    """One pass of the frozen encoder over each labelled text."""

    pooling: Literal["mean", "cls"]
    max_len_tokens: int = pydantic.Field(ge=8)
    batch_tokens: int = pydantic.Field(gt=0)  # padded tokens a batch
    precision: AskedPrecision = "float32"  # auto: the device's best

    @property
    def exact(self) -> "FeaturesParams":
        """The same in float32, as the classifier is that is measured and shipped."""
        return self.model_copy(update={"precision": "float32"})


class PrivateParams(Section):
    """What may be learnt of one training row: differential privacy of the head (Opacus)."""

    epsilon: float = pydantic.Field(gt=0, le=100)  # at most; less is more private
    delta: float = pydantic.Field(gt=0, le=1e-2)  # chance outside epsilon; far below 1 / rows
    clip_norm: float = pydantic.Field(gt=0)  # a row's gradient is cut to this Euclidean norm


class FrozenParams(Section):
    """The head on the frozen encoder's features: linear, by L-BFGS, or with a layer more, by Adam.

    What is below ``l2`` is Adam's. A linear head is taken to the optimum of its training loss, and
    no rate, epoch, batch or validation row has a part in that.
    """

    hidden: bool  # a layer of gelu and LayerNorm, as wide as the encoder, before the linear one
    l2: float = pydantic.Field(ge=0)  # l2 / 2 times the weights' squares is added to the loss
    learning_rate: float = pydantic.Field(gt=0)
    epochs: int = pydantic.Field(gt=0)  # at most
    patience_epochs: int = pydantic.Field(gt=0)  # without a better validation loss
    batch_rows: int = pydantic.Field(gt=0)
    private: PrivateParams | None = None  # null: no noise; see `PrivateParams`

    @pydantic.model_validator(mode="after")
    def _draws_no_empty_batch(self) -> "FrozenParams":
        if self.private and self.batch_rows < _LEAST_POISSON_ROWS:
            raise ValueError(
                f"private draws batches by chance: batch_rows must be {_LEAST_POISSON_ROWS} or more"
            )
        return self


class FullParams(Section):
    """The whole model, by BERT's recipe."""

    learning_rate: float = pydantic.Field(gt=0)  # AdamW's, at the end of the warm-up
    epochs: int = pydantic.Field(gt=0)
    batch_rows: int = pydantic.Field(gt=0)
    warmup_share: float = pydantic.Field(ge=0, lt=1)  # of the steps
    weight_decay: float = pydantic.Field(ge=0)
    dropout: float = pydantic.Field(ge=0, lt=1)
    precision: AskedPrecision = "auto"  # auto: the device's best


class FinetuneParams(Section):
    """The head on the frozen encoder, or the whole model."""

    mode: Literal["frozen", "full"]
    class_weights: Literal["none", "balanced"]
    mitigation: MitigationMethod = "none"
    mitigate_column: str | None = None  # whose groups it, and audit's comparison, are about
    seed: Seed
    frozen: FrozenParams  # read in mode frozen
    full: FullParams  # read in mode full

    @pydantic.model_validator(mode="after")
    def _fits_the_mode(self) -> "FinetuneParams":
        if self.mode == "full" and self.mitigation != "none":
            raise ValueError(
                f"mitigation {self.mitigation} changes a head on the frozen encoder; "
                "set mode: frozen, or mitigation: none"
            )
        if self.mitigation not in ("none", "augment") and self.mitigate_column is None:
            raise ValueError(f"mitigation {self.mitigation} needs mitigate_column")
        return self

    @pydantic.model_validator(mode="after")
    def _keeps_the_privacy_it_counts(self) -> "FinetuneParams":
        """Refuse what looks at training rows without noise, or at one row more than once.

        Resampling and augmentation let a row count twice; weights by group or label, and LEACE,
        are figures of all rows that the accountant does not know of.
        """
        if self.frozen.private is None:
            return self
        if self.mode == "full":
            raise ValueError(
                "frozen.private is of the head on the frozen encoder; set mode: frozen"
            )
        if self.mitigation != "none" or self.class_weights != "none":
            raise ValueError(
                "frozen.private counts one look at each row: set mitigation: none and "
                "class_weights: none"
            )
        return self
