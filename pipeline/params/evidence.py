"""The sections of params.yaml on what is measured, shown and registered."""

from typing import Literal

import pydantic

from pipeline.params.base import Section


class EvaluateParams(Section):
    """How scores and their intervals are computed."""

    confidence: float = pydantic.Field(gt=0.5, lt=1)
    resamples: int = pydantic.Field(ge=100)  # of the bootstrap
    calibration_bins: int = pydantic.Field(gt=1)
    tfidf_c: tuple[float, ...]  # inverse penalties of the TF-IDF baseline, chosen on validation
    seed: int = pydantic.Field(ge=0)


class MitigationParams(Section):
    """How ways to treat groups alike are compared; the column is ``finetune.mitigate_column``."""

    constraint: Literal["equalized_odds", "demographic_parity"]  # whose gap is to become smaller
    max_accuracy_loss: float = pydantic.Field(ge=0, le=1)  # on validation rows, of the best named
    group_at_use: bool  # whether a way that must be told each text's group may be named best


class AuditParams(Section):
    """What is audited, and on how much."""

    groups: tuple[str, ...]  # columns whose gaps are measured: of the data, or gender, origin
    intersections: tuple[tuple[str, ...], ...] = ()  # columns whose values together are groups
    min_group_rows: int = pydantic.Field(gt=0)  # fewer rows than this: not evaluated
    calibration_bins: int = pydantic.Field(gt=1)
    max_counterfactuals: int | None = None  # test texts swapped; null for all
    behaviour: tuple[Literal["typos", "case", "negation"], ...] = ()  # tests in CheckList's manner
    max_behaviour_texts: int | None = None  # test texts changed by each; null for all
    max_pairs: int | None = None  # CrowS-Pairs pairs scored; null for all
    max_unmasked: int | None = None  # CrowS-Pairs pairs scored by AUL and AULA; null for all
    max_clusters: int | None = None  # StereoSet clusters scored; null for all
    max_pronouns: int | None = None  # WinoBias sentences scored; null for all
    max_explained: int = pydantic.Field(24, gt=0)  # test texts whose answers are explained
    shadow_heads: int = pydantic.Field(16, ge=4, multiple_of=2)  # of the membership attack
    max_members: int | None = None  # training rows that it attacks; null for all
    competence_nats: float = pydantic.Field(
        gt=0
    )  # held-out loss must be so far below blind guesses'
    mitigation: MitigationParams
    confidence: float = pydantic.Field(gt=0.5, lt=1)
    resamples: int = pydantic.Field(ge=100)
    seed: int = pydantic.Field(ge=0)

    @pydantic.field_validator("intersections")
    @classmethod
    def _are_of_different_columns(
        cls, crossed: tuple[tuple[str, ...], ...]
    ) -> tuple[tuple[str, ...], ...]:
        for names in crossed:
            if len(set(names)) < max(2, len(names)):
                raise ValueError(f"{list(names)} must be two different columns or more")
        return crossed


class ReportParams(Section):
    """The page and the model card."""

    title: str
    language: Literal["en", "zh"] = "en"  # of the page, the card and the technical file
    licence: str  # of the model, for its card


class BundleParams(Section):
    """The directory that is registered."""

    name: str = pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")  # in the registry
