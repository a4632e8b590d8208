"""The sections of params.yaml from the raw rows to their tokens."""

from typing import Literal

import pydantic

from pipeline.params.base import Section, Seed

Severity = Literal["error", "quarantine", "warn"]


class HubDataset(Section):
    """A Hugging Face dataset (hub id, or a local directory or file) and its columns."""

    path: str
    name: str | None = None  # the configuration
    revision: str | None = None  # a commit, so that the data cannot move
    split: str = "train"
    text: str = "text"  # the column that holds the text
    label: str | None = None  # the column that holds the label; none for a corpus
    domain: str | None = None  # the column that holds the domain, if any


class IngestParams(Section):
    """Where data/ comes from. A change here takes effect at ``python -m pipeline ingest``."""

    source: Literal["packages", "local", "hub"] = "packages"
    hub_corpus: tuple[HubDataset, ...] = ()
    hub_labelled: tuple[HubDataset, ...] = ()


class ValidateParams(Section):
    """What rows must be like, and what happens to those that are not."""

    labels: tuple[str, ...]  # the names of labels 0, 1, ...; a label is its name or its index
    max_chars: int = pydantic.Field(gt=0)  # longer text is over-long
    min_label_share: float = pydantic.Field(ge=0, le=1)  # of the rarest label
    language: str  # ISO 639-1 code of the language expected
    min_language_share: float = pydantic.Field(ge=0, le=1)  # of rows in that language
    near_duplicate_jaccard: float = pydantic.Field(gt=0, le=1)  # of word 3-shingles
    contamination_words: int = pydantic.Field(gt=0)  # a shared run of this many words is a leak
    min_group_rows: int = pydantic.Field(ge=0)  # a group with fewer rows is reported
    groups: tuple[str, ...]  # columns of the labelled rows whose values are groups
    severity: dict[str, Severity]  # expectation -> what its failure does

    @pydantic.field_validator("labels")
    @classmethod
    def _can_be_told_apart(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(labels) < 2:
            raise ValueError("needs two names or more")
        twice = [name for name in labels if labels.count(name) > 1]
        if twice or not all(name.strip() for name in labels):
            raise ValueError(f"{twice[0]!r} stands twice" if twice else "a name is empty")
        return labels


class SplitParams(Section):
    """Shares of rows, drawn by a hash of their text: a row keeps its part when others are added."""

    validation_share: float = pydantic.Field(gt=0, lt=0.5)
    test_share: float = pydantic.Field(gt=0, lt=0.5)
    heldout_share: float = pydantic.Field(gt=0, lt=0.5)  # of corpus documents, for held-out loss
    salt: str  # change it to draw another split
    max_rows: int | None = pydantic.Field(None, gt=0)  # labelled rows kept, the lowest hashes first
    max_documents: int | None = pydantic.Field(
        None, gt=0
    )  # corpus documents kept, the lowest hashes first


class CanaryParams(Section):
    """Made-up secrets planted in the training text, to measure what the model remembers."""

    secrets: int = pydantic.Field(ge=2, le=25)  # planted 1, 4 and 16 times each, and never
    digits: int = pydantic.Field(6, ge=4, le=12)  # of a secret
    seed: Seed = 1


class TokeniseParams(Section):
    """The tokenizer, trained here or reused."""

    tokenizer: str  # "train", or a model directory or hub id whose tokenizer is reused
    vocab_size: int = pydantic.Field(gt=100, le=1_000_000)  # of a trained tokenizer
    lowercase: bool = True
    canaries: CanaryParams | None = None  # null: none is planted
