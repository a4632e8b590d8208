"""params.yaml as frozen, typed sections; a key that has a unit ends in it."""

import re
import typing
from pathlib import Path
from typing import Any, Literal

import pydantic

from pipeline import files, layout
from pipeline.errors import InputError, nearest, plain_message
from pipeline.params.base import Section
from pipeline.params.data import (
    CanaryParams,
    HubDataset,
    IngestParams,
    Severity,
    SplitParams,
    TokeniseParams,
    ValidateParams,
)
from pipeline.params.evidence import (
    DERIVED_GROUPS,
    AuditParams,
    BundleParams,
    DriftParams,
    EvaluateParams,
    ExportParams,
    MitigationParams,
    ReportParams,
)
from pipeline.params.model import (
    CompressParams,
    FeaturesParams,
    FinetuneParams,
    FrozenParams,
    FullParams,
    MitigationMethod,
    PretrainParams,
    PrivateParams,
)

__all__ = [
    "AuditParams",
    "BundleParams",
    "CanaryParams",
    "CompressParams",
    "DriftParams",
    "EvaluateParams",
    "ExportParams",
    "FeaturesParams",
    "FinetuneParams",
    "FrozenParams",
    "FullParams",
    "HubDataset",
    "IngestParams",
    "MitigationMethod",
    "MitigationParams",
    "Params",
    "PretrainParams",
    "PrivateParams",
    "ReportParams",
    "Section",
    "Severity",
    "SplitParams",
    "TokeniseParams",
    "ValidateParams",
    "load",
    "parse",
    "set_size",
    "tuples",
]


class Params(Section):
    """The whole of params.yaml."""

    size: Literal["default", "small"]
    ingest: IngestParams
    validate_: ValidateParams = pydantic.Field(alias="validate")
    split: SplitParams
    tokenise: TokeniseParams
    pretrain: PretrainParams
    compress: CompressParams
    features: FeaturesParams
    finetune: FinetuneParams
    evaluate: EvaluateParams
    audit: AuditParams
    export: ExportParams
    report: ReportParams
    bundle: BundleParams
    drift: DriftParams

    def section(self, stage: str) -> Section:
        """Return the section of a stage by the stage's name."""
        section: Section = getattr(self, "validate_" if stage == "validate" else stage)
        return section


def load(path: Path = layout.PARAMS) -> Params:
    """Read params.yaml; where ``size`` is small, the values of ``sizes.small`` replace the others.

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
    """Write ``size: SIZE`` into params.yaml, as ``dvc exp run -S`` would, and change nothing else.

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
        parsed = Params.model_validate(tuples(raw))
    except pydantic.ValidationError as error:
        problems = "\n".join(f"{path}: {_explain(problem)}" for problem in error.errors())
        raise InputError(problems) from error
    _refuse_unknown_columns(parsed, path)
    return parsed


def _refuse_unknown_columns(parsed: Params, path: Path) -> None:
    """Refuse an audit of columns that no row will have, hours before the audit would."""
    ours = parsed.validate_.groups
    crossed = [name for names in parsed.audit.intersections for name in names]
    for key, names in (("groups", parsed.audit.groups), ("intersections", crossed)):
        for name in names:
            if name not in (*ours, *DERIVED_GROUPS):
                raise InputError(
                    f"{path}: audit.{key}: no column {name!r}{nearest(name, ours)}; "
                    f"validate.groups has {', '.join(ours) or 'none'}, and "
                    f"{', '.join(DERIVED_GROUPS)} can be derived from the texts"
                )


def tuples(value: Any) -> Any:
    """Return a YAML value with every list made a tuple, which a frozen model needs."""
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
    return f"{key}: {plain_message(problem)} (got {problem['input']!r})"


def _keys_beside(location: list[Any]) -> list[str]:
    fields = Params.model_fields
    for part in location[:-1]:
        names = {field.alias or name: field for name, field in fields.items()}
        annotation = names[part].annotation if part in names else None
        if not (isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel)):
            return []
        fields = annotation.model_fields
    return [field.alias or name for name, field in fields.items()]
