"""params.yaml: what is refused, and how it is said."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml

from pipeline import params
from pipeline.errors import InputError
from pipeline.text import identity

ROOT = Path(__file__).parents[1]
RAW: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())

BAD = [  # key to set, value, what the message must name
    ("pretrain.masking_rat", 0.2, "did you mean 'masking_rate'"),
    ("pretrian", {}, "did you mean 'pretrain'"),
    ("pretrain.masking_rate", 1.5, "pretrain.masking_rate"),
    ("pretrain.masking_rate", "0.15", "pretrain.masking_rate"),
    ("pretrain.masking_rate", float("nan"), "pretrain.masking_rate"),
    ("pretrain.tokens", -1, "pretrain.tokens"),
    ("pretrain.tokens", 1.5, "pretrain.tokens"),
    ("pretrain.tokens", True, "pretrain.tokens"),
    ("pretrain.learning_rate", 0, "pretrain.learning_rate"),
    ("pretrain.architecture", "brt", "pretrain.architecture"),
    ("pretrain.seed", None, "pretrain.seed"),
    ("pretrain.seed", 1 << 64, "pretrain.seed"),
    ("evaluate.seed", 1 << 31, "evaluate.seed"),
    ("tokenise.vocab_size", 10**12, "tokenise.vocab_size"),
    ("size", "tiny", "size"),
    ("ingest.source", "web", "ingest.source"),
    ("ingest.hub_corpus", [{"pth": "x"}], "hub_corpus.0"),
    ("split.test_share", 0.5, "split.test_share"),
    ("split.salt", 7, "split.salt"),
    ("validate.labels", "negative", "validate.labels"),
    ("validate.labels", [], "needs two names or more"),
    ("validate.labels", ["negative"], "needs two names or more"),
    ("validate.labels", ["negative", "positive", "negative"], "'negative' stands twice"),
    ("validate.labels", ["negative", " "], "a name is empty"),
    ("validate.severity", {"schema": "fatal"}, "validate.severity.schema"),
    ("features.pooling", "max", "features.pooling"),
    ("features.precision", "float16", "features.precision"),
    ("finetune.mode", "half", "finetune.mode"),
    ("finetune.mitigation", "massage", "finetune.mitigation"),
    ("audit.mitigation.constraint", "parity", "audit.mitigation.constraint"),
    ("evaluate.confidence", 1.0, "evaluate.confidence"),
    ("evaluate.tfidf_c", 3.0, "evaluate.tfidf_c"),
    ("audit.groups", [1], "audit.groups.0"),
    ("audit.intersections", [["domain"]], "['domain'] must be two different columns"),
    ("audit.intersections", [["domain", "domain"]], "must be two different columns"),
    ("audit.behaviour", ["typo"], "audit.behaviour.0"),
    ("report.language", "fr", "report.language"),
    ("bundle.name", "../escape", "bundle.name"),
    ("bundle", [], "bundle"),
]


def changed(key: str, value: Any) -> dict[str, Any]:
    raw = copy.deepcopy(RAW)
    raw.pop("sizes")
    *parents, last = key.split(".")
    target = raw
    for parent in parents:
        target = target[parent]
    target[last] = value
    return raw


@pytest.mark.parametrize(("key", "value", "named"), BAD)
def test_a_bad_value_is_refused_by_its_key(key: str, value: Any, named: str) -> None:
    with pytest.raises(InputError, match=r"params\.yaml: ") as error:
        params.parse(changed(key, value))
    assert named in str(error.value)


@pytest.mark.parametrize(
    ("groups", "key", "value"),
    [
        ([], "audit.groups", ["domain"]),
        (["area"], "audit.groups", ["are"]),
        ([], "audit.intersections", [["gender", "domain"]]),
    ],
)
def test_an_audit_of_a_column_that_no_row_will_have_is_refused_before_any_stage(
    groups: list[str], key: str, value: Any
) -> None:
    raw = changed("validate.groups", groups)
    raw["audit"] |= {"groups": ["gender", "origin", *groups], "intersections": []}
    params.parse(raw)
    raw["audit"][key.split(".")[1]] = value
    with pytest.raises(InputError, match=rf"params\.yaml: {key}: no column '(domain|are)'"):
        params.parse(raw)


def test_the_columns_that_can_be_derived_are_those_of_the_word_lists() -> None:
    assert tuple(identity.COLUMNS) == params.evidence.DERIVED_GROUPS


@pytest.mark.parametrize("section", sorted(set(RAW) - {"size", "sizes"}))
def test_a_missing_section_is_refused_by_its_name(section: str) -> None:
    raw = changed("size", "default")
    del raw[section]
    with pytest.raises(InputError, match=f"{section}: missing"):
        params.parse(raw)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: [1", r"params\.yaml:\d+:\d+: not YAML"),
        ("- a\n", "must be a mapping"),
        ("", "must be a mapping"),
        ("a: \x00", "not YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=named):
        params.load(path)


def test_a_file_that_is_not_utf8_is_refused_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"size: \xff")
    with pytest.raises(InputError, match="byte 6 is not UTF-8"):
        params.load(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not found"):
        params.load(tmp_path / "params.yaml")


def test_small_lays_its_values_over_the_sections_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    default = params.load(path).model_dump(by_alias=True)
    params.set_size("small", path)
    small = params.load(path).model_dump(by_alias=True)
    for section, values in RAW["sizes"]["small"].items():
        default[section] |= values
    assert small == default | {"size": "small"}


def test_setting_the_size_changes_one_line_and_back_restores_the_file(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    before = path.read_text()
    params.set_size("small" if RAW["size"] == "default" else "default", path)
    differing = [
        pair
        for pair in zip(before.splitlines(), path.read_text().splitlines(), strict=True)
        if pair[0] != pair[1]
    ]
    assert len(differing) == 1
    params.set_size(RAW["size"], path)
    assert path.read_text() == before


def test_an_unknown_size_is_refused_and_the_file_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    with pytest.raises(InputError, match="tiny"):
        params.set_size("tiny", path)
    assert path.read_bytes() == (ROOT / "params.yaml").read_bytes()


@pytest.mark.parametrize(
    ("section", "named"), [("splitt", "did you mean 'split'"), ("split", "xx")]
)
def test_a_wrong_preset_is_refused(tmp_path: Path, section: str, named: str) -> None:
    path = tmp_path / "params.yaml"
    raw = RAW | {"size": "small", "sizes": {"small": {section: {"xx": 1}}}}
    path.write_text(yaml.safe_dump(raw))
    with pytest.raises(InputError, match=named):
        params.load(path)


def test_a_section_is_frozen() -> None:
    section = params.load(ROOT / "params.yaml").pretrain
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        section.masking_rate = 0.5  # type: ignore[misc]


def test_a_mitigation_that_the_mode_or_the_column_does_not_allow_is_refused() -> None:
    """Only a head on the frozen encoder can be mitigated, and all ways but one need groups."""
    for changes, named in (
        ({"mode": "full", "mitigation": "leace"}, "set mode: frozen"),
        ({"mitigation": "reweigh", "mitigate_column": None}, "reweigh needs mitigate_column"),
    ):
        raw = copy.deepcopy(RAW)
        raw["finetune"] |= changes
        raw.pop("sizes")
        with pytest.raises(InputError, match=f"finetune: .*{named}"):
            params.parse(raw)
    raw = copy.deepcopy(RAW)
    raw["finetune"] |= {"mitigation": "augment", "mitigate_column": None}
    raw.pop("sizes")
    assert params.parse(raw).finetune.mitigation == "augment"
