"""The sections of params.yaml on what is measured, shown and registered."""

from typing import Annotated, Literal, Self

import pydantic

from pipeline.params.base import Section, Seed

DERIVED_GROUPS = ("gender", "origin")  # that pipeline/text/identity.py finds in texts

_Positive = Annotated[float, pydantic.Field(gt=0)]
_Count = Annotated[int, pydantic.Field(gt=0)] | None


class EvaluateParams(Section):
    """How scores and their intervals are computed."""

    confidence: float = pydantic.Field(gt=0.5, lt=1)
    resamples: int = pydantic.Field(ge=100)  # of the bootstrap
    calibration_bins: int = pydantic.Field(gt=1)
    tfidf_c: tuple[_Positive, ...] = pydantic.Field(
        min_length=1
    )  # inverse penalties of the TF-IDF baseline, chosen on validation
    seed: Seed


class MitigationParams(Section):
    """How mitigations are compared; the groups are those of ``finetune.mitigate_column``."""

    constraint: Literal["equalized_odds", "demographic_parity"]  # the gap that is to become smaller
    max_accuracy_loss: float = pydantic.Field(ge=0, le=1)  # on validation rows
    group_at_use: bool  # may a method that needs each text's group be named best?


class AuditParams(Section):
    """What is audited, and on how many texts."""

    groups: tuple[str, ...]  # columns of the data, or gender and origin, from the text
    intersections: tuple[tuple[str, ...], ...] = ()  # combinations of columns
    min_group_rows: int = pydantic.Field(gt=0)  # fewer rows than this: not evaluated
    calibration_bins: int = pydantic.Field(gt=1)
    max_counterfactuals: _Count = None  # test texts swapped; null for all
    behaviour: tuple[Literal["typos", "case", "negation"], ...] = ()  # tests in CheckList's manner
    max_behaviour_texts: _Count = None  # test texts for each test; null for all
    max_pairs: _Count = None  # CrowS-Pairs pairs scored; null for all
    max_unmasked: _Count = None  # CrowS-Pairs pairs scored by AUL and AULA; null for all
    max_clusters: _Count = None  # StereoSet clusters scored; null for all
    max_pronouns: _Count = None  # WinoBias sentences scored; null for all
    max_explained: int = pydantic.Field(24, gt=0)  # test texts whose predictions are explained
    shadow_heads: int = pydantic.Field(16, ge=4, multiple_of=2)  # of the membership attack
    max_members: _Count = None  # training rows attacked; null for all
    canary_candidates: int = pydantic.Field(99, ge=19)  # each secret is ranked among so many
    # The held-out loss must be this far below an untrained model's and the token frequencies'.
    competence_nats: float = pydantic.Field(gt=0)
    mitigation: MitigationParams
    confidence: float = pydantic.Field(gt=0.5, lt=1)
    resamples: int = pydantic.Field(ge=100)
    seed: Seed

    @pydantic.field_validator("intersections")
    @classmethod
    def _are_of_different_columns(
        cls, crossed: tuple[tuple[str, ...], ...]
    ) -> tuple[tuple[str, ...], ...]:
        for names in crossed:
            if len(set(names)) < max(2, len(names)):
                raise ValueError(f"{list(names)} must be two different columns or more")
        return crossed


class ExportParams(Section):
    """The formats the model is also exported in, each measured like the model itself."""

    formats: tuple[Literal["onnx", "int8"], ...] = ()  # int8 is made from onnx

    @pydantic.field_validator("formats")
    @classmethod
    def _can_be_made(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if "int8" in formats and "onnx" not in formats:
            raise ValueError("int8 is made from onnx; list both")
        if len(set(formats)) < len(formats):
            raise ValueError("a format is listed twice; remove one")
        return formats


class DriftParams(Section):
    """How a scheduled run tests whether new rows differ from the champion's."""

    alpha: float = pydantic.Field(gt=0, lt=1)  # probability of a false alarm, over all tests
    permutations: int = pydantic.Field(ge=99)
    min_new_rows: int = pydantic.Field(ge=20)  # with fewer, the run waits for more
    max_rows: int = pydantic.Field(ge=20)  # of the new and of the known rows: the lowest hashes
    max_words: int = pydantic.Field(gt=0)  # the most frequent words, each counted by itself
    folds: int = pydantic.Field(gt=1)
    ridge: float = pydantic.Field(gt=0)  # penalty, in units of the mean squared singular value
    seed: Seed

    @pydantic.model_validator(mode="after")
    def _can_find_something(self) -> Self:
        if 4 / (1 + self.permutations) > self.alpha:  # Holm's factor for four parts
            raise ValueError(f"permutations: {self.permutations} can never reach alpha; raise them")
        if self.max_rows < self.min_new_rows:
            raise ValueError("max_rows is below min_new_rows: nothing would ever be tested")
        return self


class ReportParams(Section):
    """The page and the model card."""

    title: str
    language: Literal["en", "zh"] = "en"  # of the page, the card and the technical file
    licence: str  # of the model, for its card


class BundleParams(Section):
    """The directory that is registered as a version of the model."""

    name: str = pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")  # in the registry
