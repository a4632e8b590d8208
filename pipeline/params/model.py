"""The sections of params.yaml on the encoder and its head."""

from typing import Any, Literal

import pydantic

from pipeline.params import scale
from pipeline.params.base import Section, Seed

AskedPrecision = Literal["auto", "float32", "bfloat16"]
MitigationMethod = Literal["none", "resample", "reweigh", "augment", "leace"]

_LEAST_POISSON_ROWS = 32  # a Poisson batch of this mean size is empty once in 10^14


class PretrainParams(Section):
    """Masked-language-model pretraining, from scratch or continued."""

    init: str  # "scratch", or a model directory or hub id to continue from
    architecture: Literal["bert", "modernbert"] = "bert"  # from scratch
    layers: int = pydantic.Field(gt=0)  # from scratch
    hidden: int = pydantic.Field(gt=0)  # from scratch; attention heads are 64 wide
    seq_len_tokens: int = pydantic.Field(ge=8)
    batch_sequences: int = pydantic.Field(gt=0)  # per optimiser step; auto: by model size
    accumulate: int = pydantic.Field(gt=0)  # micro-batches per optimiser step
    processes: int = pydantic.Field(1, gt=0)  # started on this machine, one per GPU
    precision: AskedPrecision = "auto"  # auto: the device's best
    attention: Literal["sdpa", "flex"] = "sdpa"  # flex: FlexAttention, on GPUs only
    compile: bool = False  # torch.compile; `pretrain --estimate` says when it pays
    gradient_checkpointing: bool = False  # saves memory, costs a second forward pass
    sharding: Literal["none", "full"] = "none"  # full: each process holds a part (FSDP)
    tokens: int = pydantic.Field(ge=0)  # to train on, in all; 0 keeps the initial weights
    masking_rate: float = pydantic.Field(gt=0, lt=1)  # of ordinary tokens, at the start
    masking_rate_end: float | None = pydantic.Field(None, gt=0, lt=1)  # null: constant
    whole_words: bool = False  # a word's tokens are masked together
    optimiser: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = pydantic.Field(gt=0)  # peak; auto: by model size
    head_learning_rate: float = pydantic.Field(gt=0)  # for an MLM head that starts new
    warmup_share: float = pydantic.Field(ge=0, lt=1)  # of the steps
    weight_decay: float = pydantic.Field(ge=0)
    clip_norm: float = pydantic.Field(gt=0)
    dropout: float = pydantic.Field(ge=0, lt=1)
    heldout_sequences: int = pydantic.Field(gt=0)  # for the held-out loss, with fixed masks
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
    def _flex_attention_drops_nothing(self) -> "PretrainParams":
        if self.attention == "flex" and self.dropout > 0:
            raise ValueError("attention flex has no dropout; set dropout: 0.0, or attention: sdpa")
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
                "compile takes the loss as one graph of fixed shapes, and a changing rate changes "
                "the number of masked tokens; set masking_rate_end: null, or compile: false"
            )
        return self


class CompressParams(Section):
    """A smaller encoder, taught by the pretrained one, which it replaces; for BERT only."""

    method: Literal["none", "distil", "prune"] = "none"
    layers: int = pydantic.Field(3, gt=0)  # distil: layers of the teacher that are kept
    ffn_share: float = pydantic.Field(0.5, gt=0, lt=1)  # prune: share of feed-forward units kept
    importance_batches: int = pydantic.Field(16, gt=0)  # prune: batches to rank the units by
    tokens: int = pydantic.Field(131072, ge=0)  # to learn from the teacher; 0: no training
    temperature: float = pydantic.Field(2.0, gt=0)  # of the teacher's and student's softmax
    learning_rate: float = pydantic.Field(2e-4, gt=0)


class FeaturesParams(Section):
    """One pass of the frozen encoder over each labelled text."""

    pooling: Literal["mean", "cls"]
    max_len_tokens: int = pydantic.Field(ge=8)
    batch_tokens: int = pydantic.Field(gt=0)  # per batch, padding included
    precision: AskedPrecision = "float32"  # auto: the device's best

    @property
    def exact(self) -> "FeaturesParams":
        """The same in float32, in which the classifier is measured and shipped."""
        return self.model_copy(update={"precision": "float32"})


class PrivateParams(Section):
    """Differential privacy of the head: a bound on what it gives away of one row (Opacus)."""

    epsilon: float = pydantic.Field(gt=0, le=100)  # upper bound; smaller is more private
    delta: float = pydantic.Field(gt=0, le=1e-2)  # chance outside epsilon; keep far below 1 / rows
    clip_norm: float = pydantic.Field(gt=0)  # each row's gradient is clipped to this norm


class FrozenParams(Section):
    """The head on the frozen encoder's features: linear, by L-BFGS, or with a hidden layer, Adam.

    The keys after ``l2`` are for Adam. A linear head is trained to the optimum of its training
    loss, so learning rate, epochs, batches and validation rows play no part.
    """

    hidden: bool  # a layer of gelu and LayerNorm, as wide as the encoder, before the linear one
    l2: float = pydantic.Field(ge=0)  # l2 / 2 times the squared weights joins the loss
    learning_rate: float = pydantic.Field(gt=0)
    epochs: int = pydantic.Field(gt=0)  # at most
    patience_epochs: int = pydantic.Field(gt=0)  # without a better validation loss
    batch_rows: int = pydantic.Field(gt=0)
    private: PrivateParams | None = None  # null: no noise; see `PrivateParams`

    @pydantic.model_validator(mode="after")
    def _draws_no_empty_batch(self) -> "FrozenParams":
        if self.private and self.batch_rows < _LEAST_POISSON_ROWS:
            raise ValueError(
                f"private draws random batches; set batch_rows to {_LEAST_POISSON_ROWS} or more"
            )
        return self


class FullParams(Section):
    """Fine-tuning of the whole model by BERT's recipe (Devlin et al. 2019, appendix A.3)."""

    learning_rate: float = pydantic.Field(gt=0)  # peak, of AdamW
    epochs: int = pydantic.Field(gt=0)
    batch_rows: int = pydantic.Field(gt=0)
    warmup_share: float = pydantic.Field(ge=0, lt=1)  # of the steps
    weight_decay: float = pydantic.Field(ge=0)
    dropout: float = pydantic.Field(ge=0, lt=1)
    precision: AskedPrecision = "auto"  # auto: the device's best


class FinetuneParams(Section):
    """Training of a head on the frozen encoder, or of the whole model."""

    mode: Literal["frozen", "full"]
    class_weights: Literal["none", "balanced"]
    mitigation: MitigationMethod = "none"
    mitigate_column: str | None = None  # the groups to treat alike, here and in audit
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
        """Refuse whatever uses training rows without noise, or one row more than once.

        Resampling and augmentation let a row count twice; weights by group or label, and LEACE,
        are computed from all rows, which the privacy accountant does not count.
        """
        if self.frozen.private is None:
            return self
        if self.mode == "full":
            raise ValueError(
                "frozen.private applies to the head on the frozen encoder; set mode: frozen"
            )
        if self.mitigation != "none" or self.class_weights != "none":
            raise ValueError(
                "frozen.private cannot account for mitigation or class weights; "
                "set mitigation: none and class_weights: none"
            )
        return self
