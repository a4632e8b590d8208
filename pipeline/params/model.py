"""The sections of params.yaml on the encoder and its head."""

from typing import Literal

import pydantic

from pipeline.params.base import Section

MitigationMethod = Literal["none", "resample", "reweigh", "augment", "leace"]


class PretrainParams(Section):
    """Masked-language-model pretraining, from scratch or continued."""

    init: str  # "scratch", or a model directory or hub id to continue from
    architecture: Literal["bert", "modernbert"] = "bert"  # from scratch
    layers: int = pydantic.Field(gt=0)  # from scratch
    hidden: int = pydantic.Field(gt=0)  # width, from scratch; heads are 64 wide
    seq_len_tokens: int = pydantic.Field(ge=8)
    batch_sequences: int = pydantic.Field(gt=0)  # sequences an optimiser step
    accumulate: int = pydantic.Field(gt=0)  # micro-batches an optimiser step
    tokens: int = pydantic.Field(ge=0)  # training tokens in all; 0 keeps the initial weights
    masking_rate: float = pydantic.Field(gt=0, lt=1)  # of a row's ordinary tokens, at the start
    masking_rate_end: float | None = pydantic.Field(None, gt=0, lt=1)  # null: the same all along
    whole_words: bool = False  # a word's tokens are masked together
    optimiser: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = pydantic.Field(gt=0)
    head_learning_rate: float = pydantic.Field(gt=0)  # of an MLM head made new
    warmup_share: float = pydantic.Field(ge=0, lt=1)  # of the steps
    weight_decay: float = pydantic.Field(ge=0)
    clip_norm: float = pydantic.Field(gt=0)
    dropout: float = pydantic.Field(ge=0, lt=1)
    heldout_sequences: int = pydantic.Field(gt=0)  # for the held-out loss, at fixed masks
    heldout_every_steps: int = pydantic.Field(gt=0)
    checkpoint_every_steps: int = pydantic.Field(gt=0)
    seed: int = pydantic.Field(ge=0)


class FeaturesParams(Section):
    """One pass of the frozen encoder over each labelled text."""

    pooling: Literal["mean", "cls"]
    max_len_tokens: int = pydantic.Field(ge=8)
    batch_tokens: int = pydantic.Field(gt=0)  # padded tokens a batch


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


class FullParams(Section):
    """The whole model, by BERT's recipe."""

    learning_rate: float = pydantic.Field(gt=0)  # AdamW's, at the end of the warm-up
    epochs: int = pydantic.Field(gt=0)
    batch_rows: int = pydantic.Field(gt=0)
    warmup_share: float = pydantic.Field(ge=0, lt=1)  # of the steps
    weight_decay: float = pydantic.Field(ge=0)
    dropout: float = pydantic.Field(ge=0, lt=1)


class FinetuneParams(Section):
    """The head on the frozen encoder, or the whole model."""

    mode: Literal["frozen", "full"]
    class_weights: Literal["none", "balanced"]
    mitigation: MitigationMethod = "none"
    mitigate_column: str | None = None  # whose groups it, and audit's comparison, are about
    seed: int = pydantic.Field(ge=0)
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
