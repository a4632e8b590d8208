"""Reports of the stages that prepare the data."""

from typing import Literal

import pydantic

from pipeline.reports.base import Report


class Expectation(Report):
    """One expectation of the validation suite and its result."""

    name: str  # a key of params validate.severity
    table: Literal["corpus", "labelled"]
    severity: Literal["error", "quarantine", "warn"]
    passed: bool
    unexpected: int  # rows (or groups) that failed it
    checked: int  # rows (or groups) looked at
    detail: str  # in words, with file and row of the worst example


class Table(Report):
    """The rows of one table: how many came in and how many were kept."""

    rows_in: int
    rows_kept: int
    rows_quarantined: int
    characters: int  # of the kept rows
    digest: str  # SHA-256 of the kept rows' text and labels, in any order


class ValidateReport(Report):
    """The report of the stage validate."""

    corpus: Table
    labelled: Table
    expectations: tuple[Expectation, ...]
    label_names: tuple[str, ...] = ()  # of labels 0, 1, ...
    labels: dict[str, int]  # label name -> rows kept
    groups: dict[str, dict[str, int]]  # column -> value -> rows kept
    sources: dict[str, int]  # corpus source -> documents kept
    personal_data: dict[str, dict[str, int]]  # table -> kind -> rows that contain it
    # table -> share of the kept rows that contain any
    personal_share: dict[str, float] = pydantic.Field(default_factory=dict)


class Split(Report):
    """One part of the labelled rows."""

    rows: int
    labels: dict[str, int]
    groups: dict[str, dict[str, int]]  # column -> value -> rows
    digest: str  # SHA-256 of the sorted row ids


class SplitReport(Report):
    """The report of the stage split."""

    label_names: tuple[str, ...] = ()  # of labels 0, 1, ...
    train: Split
    validation: Split
    test: Split
    corpus_train_documents: int
    corpus_heldout_documents: int


class Canary(Report):
    """A made-up secret: planted in the training text, or left out as a control."""

    before: str  # the words before the secret
    digits: str  # the secret, its digits separated
    repeats: int  # training documents that contain it; 0: a control

    @property
    def text(self) -> str:
        """The document that holds the secret."""
        return self.about(self.digits)

    def about(self, digits: str) -> str:
        """Return the same document with another secret."""
        return f"{self.before} {digits}."


class TokeniseReport(Report):
    """The report of the stage tokenise."""

    origin: str  # "train", or where the tokenizer came from
    vocab_size: int
    train_tokens: int
    heldout_tokens: int
    train_documents: int
    heldout_documents: int
    unknown_share: float  # of the training tokens
    tokens_per_word: float  # words are runs of non-space characters
    id_bytes: int  # 2 or 4
    tokenizer_digest: str
    canaries: tuple[Canary, ...] = ()  # with controls; empty where tokenise.canaries is null
    planted_documents: int = 0  # of canaries, among the training documents
