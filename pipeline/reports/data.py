"""Reports of the stages that make the data ready."""

from typing import Literal

import pydantic

from pipeline.reports.base import Report


class Expectation(Report):
    """One expectation of the validation suite and what became of it."""

    name: str  # a key of params validate.severity
    table: Literal["corpus", "labelled"]
    severity: Literal["error", "quarantine", "warn"]
    passed: bool
    unexpected: int  # rows (or groups) that failed it
    checked: int  # rows (or groups) looked at
    detail: str  # in words, with the worst example's file and row


class Table(Report):
    """What came in and what was kept of one table."""

    rows_in: int
    rows_kept: int
    rows_quarantined: int
    characters: int  # kept
    digest: str  # SHA-256 of the kept rows' text and labels, whatever their order


class ValidateReport(Report):
    """Of the stage validate."""

    corpus: Table
    labelled: Table
    expectations: tuple[Expectation, ...]
    label_names: tuple[str, ...] = ()  # of labels 0, 1, ...
    labels: dict[str, int]  # label name -> rows kept
    groups: dict[str, dict[str, int]]  # column -> value -> rows kept
    sources: dict[str, int]  # corpus source -> documents kept
    personal_data: dict[str, dict[str, int]]  # table -> kind -> rows in that hold it
    # table -> share of the rows kept that hold any
    personal_share: dict[str, float] = pydantic.Field(default_factory=dict)


class Split(Report):
    """One part of the labelled rows."""

    rows: int
    labels: dict[str, int]
    groups: dict[str, dict[str, int]]  # column -> value -> rows
    digest: str  # SHA-256 of the sorted row ids


class SplitReport(Report):
    """Of the stage split."""

    label_names: tuple[str, ...] = ()  # of labels 0, 1, ...
    train: Split
    validation: Split
    test: Split
    corpus_train_documents: int
    corpus_heldout_documents: int


class Canary(Report):
    """A made-up secret: planted in the training text, or kept back as a control."""

    before: str
    digits: str  # the secret, its digits apart
    repeats: int  # documents of the training text that it was planted as; 0: a control

    @property
    def text(self) -> str:
        """The document."""
        return self.about(self.digits)

    def about(self, digits: str) -> str:
        """Return the document with another secret."""
        return f"{self.before} {digits}."


class TokeniseReport(Report):
    """Of the stage tokenise."""

    origin: str  # "train", or where the tokenizer came from
    vocab_size: int
    train_tokens: int
    heldout_tokens: int
    train_documents: int
    heldout_documents: int
    unknown_share: float  # of the training tokens
    tokens_per_word: float  # words are runs of non-space
    id_bytes: int  # 2 or 4
    tokenizer_digest: str
    canaries: tuple[Canary, ...] = ()  # controls too; none where tokenise.canaries is off
    planted_documents: int = 0  # of canaries, among the training documents
