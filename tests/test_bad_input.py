"""Bad input of every kind is refused in a line that names the file and the key or row.

The kinds are those of bad_input.py: by hand, with no look at how the readers are written. That
nothing else than `InputError` comes of any damage is searched for by hypothesis.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from bad_input import BAD_ROWS, BAD_VALUES, BAD_YAML, leaves, placed, renamed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import params
from pipeline.adapters import crows_pairs, sources, stereoset
from pipeline.errors import InputError
from pipeline.policy import rules

ROOT = Path(__file__).parents[1]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
POLICY: dict[str, Any] = yaml.safe_load((ROOT / "policy.yaml").read_text())
del PARAMS["sizes"]
LEAVES = dict(leaves(PARAMS))
NULLABLE = {"masking_rate_end", "mitigate_column"}  # and those of `audit.max_...`
RULE = {  # every key of a rule, though no rule has all
    "id": "a-rule",
    "why": "Because.",
    "metric": "evaluate.model.accuracy",
    "min": 0.5,
    "max": 0.9,
    "min_n": 10,
    "severity": "block",
    "applies": "always",
    "statistic": "interval",
    "waivable": True,
    "references": ["eu-ai-act-10"],
    "on_missing": "fail",
    "on_inconclusive": "warn",
}
# A number may be below 0 in a policy, and text may be a path; the rest holds as for params.yaml.
ALLOWED = {("min", "negative"), ("min", "negative fraction"), ("max", "negative fraction")}


def bad_params() -> list[tuple[tuple[Any, ...], str, dict[str, Any]]]:
    """Every key with every bad value for its type, missing (where it is a section) or misspelt."""
    made = []
    for path, value in LEAVES.items():
        of_type = float if value is None else type(value)
        values = BAD_VALUES[of_type] | ({} if _may_be_null(path, value) else {"null": None})
        made += [(path, kind, placed(PARAMS, path, bad)) for kind, bad in values.items()]
        if path[-2:-1] != ("severity",):
            made.append((path, "misspelt", renamed(PARAMS, path)))
    return made


def _may_be_null(path: tuple[Any, ...], value: Any) -> bool:
    counts = path[0] == "audit" and path[-1].startswith("max_") and path[-1] != "max_explained"
    return value is None or path[-1] in NULLABLE or counts


def bad_policies() -> list[tuple[str, str, dict[str, Any]]]:
    made = []
    for key, value in RULE.items():
        for kind, bad in BAD_VALUES[type(value)].items():
            if (key, kind) not in ALLOWED:
                made.append((key, kind, {**POLICY, "rules": [{**RULE, key: bad}]}))
        made.append((key, "misspelt", {**POLICY, "rules": [renamed(RULE, (key,))]}))
    for key in ("confidence", "require_signature", "approvers", "rules"):
        of_type = {"confidence": float, "approvers": dict, "rules": list}.get(key, bool)
        for kind, bad in BAD_VALUES[of_type].items():
            made.append((key, kind, {**POLICY, key: bad}))
    return made


def refusal(read: Callable[..., Any], *arguments: Any) -> str:
    """Return what the reader's `InputError` says; empty where it takes the input."""
    try:
        read(*arguments)
    except InputError as error:
        return str(error)
    return ""


def test_the_bad_inputs_are_800_or_more() -> None:
    kinds = len(bad_params()) + len(bad_policies()) + 2 * len(BAD_YAML) + len(BAD_ROWS)
    assert kinds >= 800


def test_every_bad_value_of_params_is_refused_by_its_key() -> None:
    params.parse(PARAMS)
    for path, kind, raw in bad_params():
        said = refusal(params.parse, raw)
        assert said.startswith("params.yaml: "), (path, kind, said)
        assert path[-1] in said, (path, kind, said)


def test_every_bad_value_of_a_rule_is_refused_by_its_id_and_key(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump({**POLICY, "rules": [RULE]}))
    rules.load(path)
    for key, kind, raw in bad_policies():
        path.write_text(yaml.safe_dump(raw))
        said = refusal(rules.load, path)
        assert str(path) in said, (key, kind, said)
        assert key in said, (key, kind, said)


@pytest.mark.parametrize("kind", BAD_YAML)
def test_a_bad_yaml_file_is_refused_by_its_name(kind: str, tmp_path: Path) -> None:
    for name, load in (("params.yaml", params.load), ("policy.yaml", rules.load)):
        path = tmp_path / name
        path.write_bytes(BAD_YAML[kind])
        with pytest.raises(InputError) as refused:
            load(path)
        assert str(path) in str(refused.value)
        assert len(str(refused.value)) < 4000


@pytest.mark.parametrize(("name", "kind", "data", "named"), BAD_ROWS)
def test_a_bad_file_of_rows_is_refused_by_its_name_and_row(
    name: str, kind: str, data: bytes, named: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as refused:
        list(sources.read(tmp_path, ["text", "label"]))
    assert name in str(refused.value)
    assert named in str(refused.value)


DAMAGE = st.tuples(
    st.sampled_from(["cut", "flip", "insert", "repeat", "swap"]),
    st.floats(0, 1, exclude_max=True),
    st.binary(min_size=1, max_size=4),
)


def damaged(data: bytes, damage: list[tuple[str, float, bytes]]) -> bytes:
    for kind, where, what in damage:
        at = int(where * len(data))
        match kind:
            case "cut":
                data = data[:at]
            case "flip":
                data = data[:at] + what + data[at + len(what) :]
            case "insert":
                data = data[:at] + what + data[at:]
            case "repeat":
                data = data[:at] + data[at // 2 :]
            case "swap":
                data = data[at:] + data[:at]
    return data


searching = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@searching
@given(st.lists(DAMAGE, min_size=1, max_size=3))
def test_no_damage_to_a_configuration_is_a_traceback(tmp_path: Path, damage: Any) -> None:
    for name, load in (("params.yaml", params.load), ("policy.yaml", rules.load)):
        path = tmp_path / name
        path.write_bytes(damaged((ROOT / name).read_bytes(), damage))
        said = refusal(load, path)
        assert not said or name in said


GOOD_ROWS = {
    "rows.jsonl": b'{"text": "A fine film.", "label": "good"}\n' * 9,
    "rows.csv": b'text,label\n"A fine, long film.",good\n' * 3,
    "rows.txt": b"A fine film.\n\nA dull one.\n" * 3,
}


@searching
@given(st.sampled_from(sorted(GOOD_ROWS)), st.lists(DAMAGE, min_size=1, max_size=3))
def test_no_damage_to_rows_is_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, name: str, damage: Any
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    (folder / name).write_bytes(damaged(GOOD_ROWS[name], damage))
    said = refusal(lambda: list(sources.read(folder, ["text"], ["label"])))
    assert not said or name in said


PAIRS = (
    b"sent_more,sent_less,stereo_antistereo,bias_type\n"
    b"He is bad.,She is bad.,stereo,gender\nShe is good.,He is good.,antistereo,gender\n"
)
CLUSTERS = (
    b'{"data": {"intrasentence": [{"id": "1", "target": "t", "bias_type": "b", "context": "A BLANK'
    b' day", "sentences": [{"gold_label": "stereotype", "sentence": "A bad day"}, {"gold_label":'
    b' "anti-stereotype", "sentence": "A good day"}, {"gold_label": "unrelated", "sentence":'
    b' "A red day"}]}]}}'
)


@searching
@given(st.lists(DAMAGE, min_size=1, max_size=3))
def test_no_damage_to_a_benchmark_is_a_traceback(tmp_path: Path, damage: Any) -> None:
    for name, data, read in (
        ("pairs.csv", PAIRS, crows_pairs.read_pairs),
        ("clusters.json", CLUSTERS, stereoset.read_clusters),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        assert read(path, None)
        path.write_bytes(damaged(data, damage))
        said = refusal(read, path, None)
        assert not said or name in said
