"""params.yaml as frozen, typed sections; units are in names and docstrings."""

import re
import typing
from pathlib import Path
from typing import Any, Literal

import pydantic

from pipeline import files, layout
from pipeline.errors import InputError, nearest

MitigationMethod = Literal["none", "resample", "reweigh", "augment", "leace"]
Severity = Literal["error", "quarantine", "warn"]


class Section(pydantic.BaseModel):
    """A frozen section: unknown keys are refused, and no value is coerced from another type."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)


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
    """What the rows must be, and what happens to those that are not."""

    labels: tuple[str, ...]  # the names of labels 0, 1, ...; a label is its index or its name
    max_chars: int = pydantic.Field(gt=0)  # longer text is over-long
    min_label_share: float = pydantic.Field(ge=0, le=1)  # of the rarest label
    language: str  # ISO 639-1 code of the language expected
    min_language_share: float = pydantic.Field(ge=0, le=1)  # of rows in that language
    near_duplicate_jaccard: float = pydantic.Field(gt=0, le=1)  # of word 3-shingles
    contamination_words: int = pydantic.Field(gt=0)  # a shared run of so many words is a leak
    min_group_rows: int = pydantic.Field(ge=0)  # fewer rows in a group than this is reported
    groups: tuple[str, ...]  # columns of the labelled rows that hold groups to audit
    severity: dict[str, Severity]  # expectation -> what its failure does


class SplitParams(Section):
    """Shares of rows, by a hash of their content: a row never moves when others are added."""

    validation_share: float = pydantic.Field(gt=0, lt=0.5)
    test_share: float = pydantic.Field(gt=0, lt=0.5)
    heldout_share: float = pydantic.Field(gt=0, lt=0.5)  # of corpus documents, for held-out loss
    salt: str  # change it to draw another split
    max_rows: int | None = None  # labelled rows kept, the lowest hashes first
    max_documents: int | None = None  # corpus documents kept, the lowest hashes first


class TokeniseParams(Section):
    """The tokenizer, trained here or reused."""

    tokenizer: str  # "train", or a model directory or hub id whose tokenizer is reused
    vocab_size: int = pydantic.Field(gt=100)  # of a trained tokenizer
    lowercase: bool = True


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
    """The head on the frozen encoder's features, by Adam."""

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
    language: Literal["en"] = "en"
    licence: str  # of the model, for its card


class BundleParams(Section):
    """The directory that is registered."""

    name: str = pydantic.Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")  # in the registry


class Params(Section):
    """The whole of params.yaml."""

    size: Literal["default", "small"]
    ingest: IngestParams
    validate_: ValidateParams = pydantic.Field(alias="validate")
    split: SplitParams
    tokenise: TokeniseParams
    pretrain: PretrainParams
    features: FeaturesParams
    finetune: FinetuneParams
    evaluate: EvaluateParams
    audit: AuditParams
    report: ReportParams
    bundle: BundleParams

    def section(self, stage: str) -> Section:
        """Return the section of a stage by the stage's name."""
        section: Section = getattr(self, "validate_" if stage == "validate" else stage)
        return section


def load(path: Path = layout.PARAMS) -> Params:
    """Read params.yaml; where ``size`` is small, lay ``sizes.small`` over the sections.

    Raises:
        InputError: naming the file, the key, and the nearest known key.
    """
    raw = files.read_yaml(path)
    presets = raw.pop("sizes", {})
    size = raw.get("size", "default")
    known = {field.alias or name for name, field in Params.model_fields.items()}
    if not isinstance(presets, dict) or not all(isinstance(p, dict) for p in presets.values()):
        raise InputError(f"{path}: sizes: must map a size to sections")
    overlay = presets.get(size, {})
    for section, values in overlay.items():
        if section not in known or not isinstance(values, dict) or section not in raw:
            raise InputError(
                f"{path}: sizes.{size}.{section}: not a section{nearest(section, known)}"
            )
        raw[section] = {**raw[section], **values}
    return parse(raw, path)


def set_size(size: str, path: Path = layout.PARAMS) -> None:
    """Write ``size: SIZE`` into params.yaml, as ``dvc exp run -S`` would; the rest stays as it is.

    Raises:
        InputError: where the size is unknown or the file has no line ``size:``.
    """
    sizes = typing.get_args(Params.model_fields["size"].annotation)
    if size not in sizes:
        raise InputError(f"size {size!r} is unknown: one of {', '.join(sizes)}")
    text = path.read_text(encoding="utf-8")
    changed, count = re.subn(r"(?m)^size:\s*\w+", f"size: {size}", text)
    if count != 1:
        raise InputError(f"{path}: needs one line `size: {size}` at the top level")
    if changed != text:
        files.write_text(path, changed)


def parse(raw: dict[str, Any], path: Path = layout.PARAMS) -> Params:
    """Parse a mapping as `Params`; ``path`` is named in errors."""
    try:
        return Params.model_validate(tuples(raw))
    except pydantic.ValidationError as error:
        problems = "\n".join(f"{path}: {_explain(problem)}" for problem in error.errors())
        raise InputError(problems) from error


def tuples(value: Any) -> Any:
    """YAML has lists; frozen models hold tuples."""
    if isinstance(value, list):
        return tuple(tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: tuples(item) for key, item in value.items()}
    return value


def _explain(problem: Any) -> str:
    location = [part for part in problem["loc"] if part != "validate_"]
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(str(location[-1]), _keys_beside(location))}"
    if problem["type"] == "missing":
        return f"{key}: missing; add it"
    return f"{key}: {problem['msg']} (got {problem['input']!r})"


def _keys_beside(location: list[Any]) -> list[str]:
    fields = Params.model_fields
    for part in location[:-1]:
        names = {field.alias or name: field for name, field in fields.items()}
        annotation = names[part].annotation if part in names else None
        if not (isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)):
            return []
        fields = annotation.model_fields
    return [field.alias or name for name, field in fields.items()]
